package domain

import (
	"crypto/sha256"
	"time"
)

// PhoneToken lets a phone report the positions of one courier. The token itself is
// shown once and not kept.
type PhoneToken struct {
	ID        string            `json:"id"`
	CourierID string            `json:"courier_id"`
	Hash      [sha256.Size]byte `json:"-"` // of the token
	CreatedAt time.Time         `json:"created_at"`
}

// HashToken is what is kept of a token. Tokens are random and long, so there is
// nothing to guess and a plain hash does.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }
