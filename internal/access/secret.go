package access

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// A secret is written ot_<kind>_<30 base62><6 base62 CRC-32 of what is before it>. The
// checksum distinguishes a typo, and most invented secrets, from a real one without
// looking it up; scanners of repositories know secrets by their form.
const (
	secretStart  = "ot_"
	secretRandom = 30 // 178 bits
	secretSum    = 6
	secretLength = len(secretStart) + 3 + 1 + secretRandom + secretSum
	// prefixLength is how much of a secret is kept to tell it from others.
	prefixLength = len(secretStart) + 3 + 1 + 4

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// kindOf is how secrets of each role begin.
var kindOf = map[domain.Role]string{
	domain.RoleAdmin: "adm", domain.RoleDispatcher: "dsp", domain.RoleMerchant: "mer", domain.RoleCourier: "cou",
	domain.RolePartner: "prt", domain.RoleMonitor: "mon", domain.RoleCustomer: "shr",
}

// The kinds that are no role's.
const (
	kindPhone   = "phn"
	kindSession = "ses"
	kindCode    = "cod"
)

// NewPhoneToken makes the secret of a courier's phone.
func NewPhoneToken() string { return newSecret(kindPhone) }

// newSecret makes a secret of random bytes.
func newSecret(kind string) string {
	var raw [2 * secretRandom]byte
	for {
		_, _ = rand.Read(raw[:]) // never fails
		if s, ok := compose(kind, raw[:]); ok {
			return s
		}
	}
}

// linkSecret is the secret of a share link: whoever has the key of this installation can
// make it again from the link's id.
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

// compose writes a secret out of random bytes; those that would make some letters more
// likely than others are passed over, and false says that too few were left.
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

// checksum writes the CRC-32 (IEEE) of a secret's beginning.
func checksum(s string) (out [secretSum]byte) {
	sum := crc32.ChecksumIEEE([]byte(s))
	for i := secretSum - 1; i >= 0; i-- {
		out[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return out
}

// wellFormed says whether s has the form of a secret and the checksum that belongs to it.
func wellFormed(s string) bool {
	if len(s) != secretLength || !strings.HasPrefix(s, secretStart) || s[len(secretStart)+3] != '_' {
		return false
	}
	sum := checksum(s[:secretLength-secretSum])
	return s[secretLength-secretSum:] == string(sum[:])
}
