package fold

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Cursor is the place of a row in a list ordered by start, then id. The next
// page begins behind it, whatever has arrived before it since.
type Cursor struct {
	Start int64
	ID    string
}

const cursorVersion = 1

// String encodes c for store.Page.
func (c Cursor) String() string {
	b := binary.AppendVarint([]byte{cursorVersion}, c.Start)
	return base64.RawURLEncoding.EncodeToString(append(b, c.ID...))
}

// ParseCursor decodes what String gave. Anything else is fault.Invalid with
// path "cursor".
func ParseCursor(s string) (Cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil && len(b) > 1 && b[0] == cursorVersion {
		start, n := binary.Varint(b[1:])
		id := string(b[1+max(n, 0):])
		if n > 0 && isID(id) {
			return Cursor{Start: start, ID: id}, nil
		}
	}
	return Cursor{}, errCursor()
}

// isID reports whether a row of any engine may have this id.
func isID(id string) bool {
	return id != "" && len(id) <= trace.MaxIDBytes && utf8.ValidString(id) && strings.IndexByte(id, 0) < 0
}

// EncodeList writes a list of texts for a column: a JSON array, nil for an
// empty one.
func EncodeList[T ~string](list []T) *string {
	if len(list) == 0 {
		return nil
	}
	b, _ := json.Marshal(list) // strings always can
	s := string(b)
	return &s
}

// DecodeList reads what EncodeList wrote.
func DecodeList[T ~string](column *string) ([]T, error) {
	if column == nil {
		return nil, nil
	}
	var list []T
	if err := json.Unmarshal([]byte(*column), &list); err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	return list, nil
}

// PayloadAt says where a stored span's payload is; the zero value says that it
// has none.
type PayloadAt struct {
	Chunk uuid.UUID
	Index int
}

// FillPayloads inflates each chunk once, several side by side, and gives every
// span its payload; of chunks that inflate to more than maxBytes what
// store.HeadOfChunk tells, for which their first store.HeadBytes will do. A chunk
// that is not there was dropped by retention: its spans have no payload any more.
func FillPayloads(spans []*trace.Span, places []PayloadAt, chunks map[uuid.UUID][]byte, maxBytes int) error {
	inflated, err := inflate(chunks, maxBytes)
	if err != nil {
		return err
	}
	for i, at := range places {
		payloads, ok := inflated[at.Chunk]
		if !ok || at.Chunk == uuid.Nil {
			continue
		}
		if at.Index < 0 || at.Index >= len(payloads) {
			return fmt.Errorf("payload chunk %s holds %d payloads, not number %d", at.Chunk, len(payloads), at.Index)
		}
		spans[i].Payload = payloads[at.Index]
	}
	return nil
}

// inflate unpacks chunks on all processors.
func inflate(chunks map[uuid.UUID][]byte, maxBytes int) (map[uuid.UUID][]trace.Payload, error) {
	inflated := make(map[uuid.UUID][]trace.Payload, len(chunks))
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for id, data := range chunks {
		group.Go(func() error {
			unpack := store.UnpackChunk
			if store.InflatedBytes(data) > maxBytes {
				unpack = store.HeadOfChunk
			}
			payloads, err := unpack(data)
			if err != nil {
				return fmt.Errorf("payload chunk %s: %w", id, err)
			}
			mu.Lock()
			defer mu.Unlock()
			inflated[id] = payloads
			return nil
		})
	}
	return inflated, group.Wait()
}
