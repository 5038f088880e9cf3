package webapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
)

// site is a dashboard held in memory: a snapshot whose files belong together,
// and nothing in a request's path can lead out of it.
type site struct {
	files   map[string]file // by name without leading slash; index.html is always there
	headers [][2]string     // of every answer
}

type file struct {
	body        []byte
	gzipped     []byte // body as the build has compressed it; nil if it has not
	contentType string
	cache       string
	etag        string
}

const indexName = "index.html"

// welcome is served in place of a dashboard that was not built.
//
//go:embed welcome.html
var welcome []byte

// maxSiteBytes bounds the snapshot: a directory given by mistake must not fill
// the memory.
const maxSiteBytes = 64 << 20

// newSite reads a dashboard; files may be nil. connect is a further origin that
// the dashboard's scripts may call.
func newSite(files fs.FS, connect string, https bool) (*site, error) {
	s := &site{files: map[string]file{}, headers: securityHeaders(connect, https)}
	if files != nil {
		if err := s.load(files); err != nil {
			return nil, fmt.Errorf("read dashboard: %w", err)
		}
	}
	if _, ok := s.files[indexName]; !ok {
		s.files = map[string]file{indexName: newFile(indexName, welcome)} // stray files without an index are no dashboard
	}
	return s, nil
}

func (s *site) load(files fs.FS) error {
	total := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(d.Name(), ".") // build tools leave such files
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.IsDir() || hidden:
			return nil
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if total += len(body); total > maxSiteBytes {
			return fmt.Errorf("more than %d bytes", maxSiteBytes)
		}
		s.files[name] = newFile(name, body)
		return nil
	})
	s.takeGzipped()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a directory that is not there has no dashboard
	}
	return err
}

// gzipSuffix is how the build names what it has compressed: in the place of the
// file, which is made of it for those who cannot read it, or beside it.
const gzipSuffix = ".gz"

// takeGzipped makes one file of each that the build has compressed.
func (s *site) takeGzipped() {
	for name, f := range s.files {
		of, ok := strings.CutSuffix(name, gzipSuffix)
		if !ok {
			continue
		}
		plain, ok := s.files[of]
		if !ok {
			body, err := gunzip(f.body)
			if err != nil { // something else of that name
				continue
			}
			plain = newFile(of, body)
		}
		plain.gzipped = f.body
		s.files[of] = plain
		delete(s.files, name)
	}
}

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r, maxSiteBytes+1))
	if err == nil && len(body) > maxSiteBytes {
		err = errors.New("too large")
	}
	return body, err
}

func newFile(name string, body []byte) file {
	sum := sha256.Sum256(body)
	f := file{
		body: body, contentType: contentType(name), cache: "no-cache",
		etag: `W/"` + hex.EncodeToString(sum[:12]) + `"`, // weak: compression changes the bytes
	}
	if strings.HasPrefix(name, "assets/") {
		f.cache = "public, max-age=31536000, immutable" // the build puts a hash into these names
	}
	return f
}

// contentTypes are by extension, the first four spelled as the earlier service
// did. The system's own table is not asked: it differs between machines.
var contentTypes = map[string]string{
	".html": "text/html;charset=utf-8",
	".js":   "text/javascript;charset=utf-8",
	".css":  "text/css;charset=utf-8",
	".svg":  "image/svg+xml",

	".mjs":         "text/javascript;charset=utf-8",
	".txt":         "text/plain;charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".webmanifest": "application/manifest+json",
	".wasm":        "application/wasm",
	".ico":         "image/x-icon",
	".png":         "image/png",
	".jpg":         "image/jpeg",
	".jpeg":        "image/jpeg",
	".gif":         "image/gif",
	".webp":        "image/webp",
	".avif":        "image/avif",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
}

func contentType(name string) string {
	if t, ok := contentTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

// securityHeaders confine the dashboard to its own origin: no inline script or
// style, no frame around it, no address of a page told to others.
func securityHeaders(connect string, https bool) [][2]string {
	if connect != "" {
		connect = " " + connect
	}
	headers := [][2]string{
		{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
			"connect-src 'self'" + connect + "; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"}, // for browsers that do not read frame-ancestors
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	}
	if https {
		headers = append(headers, [2]string{"Strict-Transport-Security", "max-age=31536000"})
	}
	return headers
}

// serve answers GET and HEAD of a path that is no API's.
func (s *site) serve(w http.ResponseWriter, r *http.Request) error {
	for _, h := range s.headers {
		w.Header().Set(h[0], h[1])
	}
	p := r.URL.Path
	if strings.ContainsRune(p, 0) {
		return fault.New(fault.Invalid, "Invalid path")
	}
	f, ok := s.find(p)
	if !ok {
		return api.Unmatched(w, nil)
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("Etag", f.etag)
	body := f.body
	if f.gzipped != nil && r.Header.Get("Range") == "" && accepts(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(f.gzipped)))
		body = f.gzipped
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}

// accepts reports whether an Accept-Encoding names a coding, and not to refuse it.
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q, weighed := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			return !weighed || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

// find chooses a path's file. Pages of the app are made in the browser, so
// their paths lead to the index: all below /dashboard/, where ids may have
// dots, and elsewhere those that do not look like a file's.
func (s *site) find(p string) (file, bool) {
	if strings.Contains(p, "..") {
		return file{}, false
	}
	if f, ok := s.files[strings.TrimPrefix(p, "/")]; ok {
		return f, true
	}
	page := strings.HasPrefix(p, "/dashboard/") || path.Ext(p) == ""
	if strings.HasPrefix(p, "/assets/") || !page {
		return file{}, false
	}
	return s.files[indexName], true
}
