package access

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// A secret has the form ot_<kind>_<30 base62><6 base62 CRC-32 of the preceding text>. The checksum rejects typos and most
// made-up secrets without a look-up; secret scanners recognise the form.
const (
	secretStart  = "ot_"
	secretRandom = 30 // 178 bits
	secretSum    = 6
	secretLength = len(secretStart) + 3 + 1 + secretRandom + secretSum
	// prefixLength is how much of a secret is stored to tell it apart from others.
	prefixLength = len(secretStart) + 3 + 1 + 4

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// kindOf is the secret kind of each role.
var kindOf = map[domain.Role]string{
	domain.RoleAdmin: "adm", domain.RoleDispatcher: "dsp", domain.RoleMerchant: "mer", domain.RoleCourier: "cou",
	domain.RolePartner: "prt", domain.RoleMonitor: "mon", domain.RoleCustomer: "shr",
}

// Kinds that belong to no role.
const (
	kindPhone   = "phn"
	kindSession = "ses"
	kindCode    = "cod"
)

// NewPhoneToken makes the secret of a courier's phone.
func NewPhoneToken() string { return newSecret(kindPhone) }

// newSecret makes a random secret.
func newSecret(kind string) string {
	var raw [2 * secretRandom]byte
	for {
		_, _ = rand.Read(raw[:]) // never fails
		if s, ok := compose(kind, raw[:]); ok {
			return s
		}
	}
}

// linkSecret derives a share link's secret from its id and the installation's key.
func linkSecret(key []byte, linkID string) (string, error) {
	raw, err := hkdf.Expand(sha256.New, key, "share link "+linkID, 4*secretRandom)
	if err != nil {
		return "", err
	}
	s, ok := compose(kindOf[domain.RoleCustomer], raw)
	if !ok { // once in 10^40
		return "", domain.Errorf(domain.CodeInternal, "no secret comes of the link %s", linkID)
	}
	return s, nil
}

// compose encodes random bytes as a secret. It skips bytes that would bias the letters, and returns false if too few are left.
func compose(kind string, random []byte) (string, bool) {
	b := make([]byte, 0, secretLength)
	b = append(append(append(b, secretStart...), kind...), '_')
	want := len(b) + secretRandom
	for _, r := range random {
		if len(b) == want {
			break
		}
		if int(r) < 256/len(base62)*len(base62) {
			b = append(b, base62[int(r)%len(base62)])
		}
	}
	if len(b) < want {
		return "", false
	}
	sum := checksum(string(b))
	return string(append(b, sum[:]...)), true
}

// checksum returns the CRC-32 (IEEE) of a secret's beginning.
func checksum(s string) (out [secretSum]byte) {
	sum := ^uint32(0) // as crc32.ChecksumIEEE does, which needs a copy on the heap
	for i := range len(s) {
		sum = crc32.IEEETable[byte(sum)^s[i]] ^ sum>>8
	}
	sum = ^sum
	for i := secretSum - 1; i >= 0; i-- {
		out[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return out
}

// wellFormed reports whether s has the form of a secret and a valid checksum.
func wellFormed(s string) bool {
	if len(s) != secretLength || !strings.HasPrefix(s, secretStart) || s[len(secretStart)+3] != '_' {
		return false
	}
	sum := checksum(s[:secretLength-secretSum])
	return s[secretLength-secretSum:] == string(sum[:])
}
