package betterauth

import "crypto/rand"

// idLength is the length of ids and session tokens: 32 letters and digits hold
// 190 bits.
const idLength = 32

const idAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// NewID makes an id or a session token as the library does: 32 characters of
// a-z, A-Z and 0-9, uniform, from the system's random source. Rows of an older
// database may hold others, so an id that is read is opaque text.
func NewID() string {
	// A byte below the largest multiple of the alphabet's size maps evenly; the
	// others are thrown away, or the first letters would come more often.
	const even = 256 - 256%len(idAlphabet)
	id := make([]byte, 0, idLength)
	var random [2 * idLength]byte
	for len(id) < idLength {
		rand.Read(random[:]) // never fails; see crypto/rand
		for _, b := range random {
			if int(b) < even && len(id) < idLength {
				id = append(id, idAlphabet[int(b)%len(idAlphabet)])
			}
		}
	}
	return string(id)
}
