package betterauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/pulse-traces/pulse/shared/fault"
)

// Password lengths, in UTF-16 code units of the text as typed: the library runs
// where that is what a string's length means.
const (
	MinPasswordUnits = 8 // of new passwords; sign-in takes any length up to the maximum
	MaxPasswordUnits = 128
)

// The parameters of scrypt. One hash takes 128·N·r bytes (33.6 MB) and 0.1 to
// 0.2 s of one core.
const (
	scryptN        = 16384
	scryptR        = 16
	scryptP        = 1
	scryptKeyBytes = 64
	saltBytes      = 16
)

// CheckNewPassword gives ErrPasswordTooShort, ErrPasswordTooLong or nil.
func CheckNewPassword(password string) error {
	if utf16Units(password) < MinPasswordUnits {
		return ErrPasswordTooShort
	}
	return checkPasswordMax(password)
}

func checkPasswordMax(password string) error {
	if utf16Units(password) > MaxPasswordUnits {
		return ErrPasswordTooLong
	}
	return nil
}

func utf16Units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// hasher runs scrypt, few at a time: the memory that password hashes may take is
// bounded by its slots whatever the number of requests.
type hasher struct{ slots chan struct{} }

// maxHashesAtOnce bounds the default number of slots to 135 MB.
const maxHashesAtOnce = 4

func newHasher(slots int) *hasher {
	if slots <= 0 {
		slots = min(runtime.GOMAXPROCS(0), maxHashesAtOnce)
	}
	return &hasher{slots: make(chan struct{}, slots)}
}

// key derives the hex key of a password. It waits for a slot until ctx ends.
func (h *hasher) key(ctx context.Context, password, salt string) (string, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return "", fault.Wrap(fault.Unavailable, "Too busy: try again", fmt.Errorf("wait for a hash slot: %w", ctx.Err()))
	}
	// The salt is the hex text itself, not the bytes that it stands for.
	key, err := scrypt.Key(norm.NFKC.Bytes([]byte(password)), []byte(salt), scryptN, scryptR, scryptP, scryptKeyBytes)
	if err != nil {
		return "", fmt.Errorf("derive password key: %w", err)
	}
	return hex.EncodeToString(key), nil
}

// HashPassword gives what to store for a password: "<salt>:<key>", the salt as
// 32 and the scrypt key as 128 lower-case hex characters. Few hashes run at
// once; fault.Unavailable if ctx ends while waiting. The caller checks the
// length first (CheckNewPassword).
func (s *Service) HashPassword(ctx context.Context, password string) (string, error) {
	var raw [saltBytes]byte
	rand.Read(raw[:]) // never fails; see crypto/rand
	salt := hex.EncodeToString(raw[:])
	key, err := s.hasher.key(ctx, password, salt)
	if err != nil {
		return "", err
	}
	return salt + ":" + key, nil
}

// errStoredHash says nothing of the hash itself.
var errStoredHash = errors.New(`stored password hash is not "salt:key"`)

// VerifyPassword reports whether stored is a hash of password. A stored text
// that is no hash at all is an error, not a wrong password. Like HashPassword
// it waits for a slot.
func (s *Service) VerifyPassword(ctx context.Context, password, stored string) (bool, error) {
	salt, want, _ := strings.Cut(stored, ":")
	if salt == "" || want == "" {
		return false, errStoredHash
	}
	got, err := s.hasher.key(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1, nil
}
