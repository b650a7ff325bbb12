package domain

import (
	"crypto/sha256"
	"time"
)

// PhoneToken authorizes a phone to report the positions of one courier. The token itself is shown once and not stored.
type PhoneToken struct {
	ID        string            `json:"id"`
	CourierID string            `json:"courier_id"`
	Hash      [sha256.Size]byte `json:"-"` // of the token
	CreatedAt time.Time         `json:"created_at"`
}

// HashToken returns the stored hash of a token. Tokens are long and random, so a plain hash is enough.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }
