// Package pushtest is a browser that is subscribed to a push service, for tests.
package pushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Browser decrypts what a push service of an endpoint gets for it.
type Browser struct {
	endpoint string
	key      *ecdh.PrivateKey
	auth     []byte
}

// NewBrowser subscribes a browser with keys of its own.
func NewBrowser(t testing.TB, endpoint string) *Browser {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	b := &Browser{endpoint, key, make([]byte, 16)}
	_, _ = rand.Read(b.auth)
	return b
}

// Subscription is the JSON of the browser's PushSubscription.
func (b *Browser) Subscription(t testing.TB) string {
	text, err := json.Marshal(map[string]any{"endpoint": b.endpoint, "keys": map[string]string{
		"auth":   base64.RawURLEncoding.EncodeToString(b.auth),
		"p256dh": base64.RawURLEncoding.EncodeToString(b.key.PublicKey().Bytes()),
	}})
	require.NoError(t, err)
	return string(text)
}

// Decrypt reads a message as RFC 8291 and RFC 8188 describe it: one of the declarative form.
func (b *Browser) Decrypt(t testing.TB, body []byte) []byte {
	salt, size := body[:16], int(body[20])
	sender, err := ecdh.P256().NewPublicKey(body[21 : 21+size])
	require.NoError(t, err)
	require.Positive(t, binary.BigEndian.Uint32(body[16:20]))
	shared, err := b.key.ECDH(sender)
	require.NoError(t, err)
	derive := func(secret, salt []byte, info string, n int) []byte {
		k, err := hkdf.Key(sha256.New, secret, salt, info, n)
		require.NoError(t, err)
		return k
	}
	ikm := derive(shared, b.auth, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(sender.Bytes()), 32)
	block, err := aes.NewCipher(derive(ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	plain, err := gcm.Open(nil, derive(ikm, salt, "Content-Encoding: nonce\x00", 12), body[21+size:], nil)
	require.NoError(t, err)
	plain = []byte(strings.TrimRight(string(plain), "\x00"))
	plain = plain[:len(plain)-1] // padding begins with 2
	var declarative struct {
		WebPush int `json:"web_push"`
	}
	require.NoError(t, json.Unmarshal(plain, &declarative))
	require.Equal(t, 8030, declarative.WebPush)
	return plain
}
