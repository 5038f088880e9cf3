package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// KeyPrefix begins every API key.
const KeyPrefix = "pulse_sk_"

// MintKey makes a new API key: KeyPrefix and a random UUID, 45 characters.
func MintKey() string { return KeyPrefix + uuid.NewString() }

// HashKey gives what a key is looked up by: the lower-case hex SHA-256 of its
// bytes. Keys have 122 random bits, so the hash needs no salt.
func HashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// MintToken makes the token of an invite: 43 characters, for the path of a URL.
// It is a secret, and never in a log.
func MintToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails; see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashToken gives what a token is looked up by, as HashKey does for a key.
func HashToken(token string) string { return HashKey(token) }

const (
	sealIVBytes  = 16 // the earlier service used 16, not the usual 12
	sealTagBytes = 16
	sealKeyBytes = 32
)

// Sealer encrypts API keys at rest so that an administrator (and the older CLI)
// can list them. The format is the earlier service's: base64(IV ‖ tag ‖
// ciphertext) with AES-256-GCM under the first 32 bytes of ENCRYPTION_KEY.
type Sealer struct{ aead cipher.AEAD }

// NewSealer takes ENCRYPTION_KEY, of which the first 32 characters count. It
// fails if they are not exactly 32 bytes (too short, or not ASCII).
func NewSealer(encryptionKey string) (*Sealer, error) {
	runes := []rune(encryptionKey)
	if len(runes) < sealKeyBytes {
		return nil, fmt.Errorf("ENCRYPTION_KEY must be at least %d characters", sealKeyBytes)
	}
	key := []byte(string(runes[:sealKeyBytes]))
	if len(key) != sealKeyBytes {
		return nil, fmt.Errorf("the first %d characters of ENCRYPTION_KEY must be ASCII", sealKeyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, sealIVBytes)
	if err != nil {
		return nil, fmt.Errorf("make gcm: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts a clear key.
func (s *Sealer) Seal(key string) string {
	iv := make([]byte, sealIVBytes)
	rand.Read(iv) // never fails; see crypto/rand
	boxed := s.aead.Seal(nil, iv, []byte(key), nil)
	ciphertext, tag := boxed[:len(boxed)-sealTagBytes], boxed[len(boxed)-sealTagBytes:]
	out := append(iv, tag...)
	return base64.StdEncoding.EncodeToString(append(out, ciphertext...))
}

var errUnseal = errors.New("sealed key cannot be read with this ENCRYPTION_KEY")

// Unseal gives the clear key, or an error if it was sealed under another
// ENCRYPTION_KEY or is damaged. The error holds nothing of the input.
func (s *Sealer) Unseal(sealed string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < sealIVBytes+sealTagBytes {
		return "", errUnseal
	}
	iv, tag, ciphertext := raw[:sealIVBytes], raw[sealIVBytes:sealIVBytes+sealTagBytes], raw[sealIVBytes+sealTagBytes:]
	clear, err := s.aead.Open(nil, iv, append(append([]byte{}, ciphertext...), tag...), nil)
	if err != nil {
		return "", errUnseal
	}
	return string(clear), nil
}
