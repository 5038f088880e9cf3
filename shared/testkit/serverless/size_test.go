package serverless_test

import (
	"archive/zip"
	"compress/flate"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pulse-traces/pulse/shared/testkit/serverless"
)

// maxZipBytes is what the package of a function may have: 8 MB, as AWS counts
// them.
const maxZipBytes = 8 << 20

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// zipped gives the size of a file in a package of its own, as SAM makes them.
func zipped(file string) (int64, error) {
	in, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	var n counter
	w := zip.NewWriter(&n)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.DefaultCompression) })
	part, err := w.Create(filepath.Base(file))
	if err == nil {
		_, err = io.Copy(part, in)
	}
	if err == nil {
		err = w.Close()
	}
	return int64(n), err
}

func TestServerlessPackagesAreSmall(t *testing.T) {
	t.Parallel()
	for _, f := range serverless.Functions(t) {
		n, err := zipped(f.Bootstrap)
		if err != nil {
			t.Fatal(err)
		}
		if n > maxZipBytes {
			t.Errorf("%s has %d bytes zipped, more than %d", f.Name, n, maxZipBytes)
		}
	}
}

// BenchmarkInit starts each function in new emulators, b.N times, and reports
// the median and the least of what the emulator measures from the start of the
// process until it asks for its first event: make bench-init.
func BenchmarkInit(b *testing.B) {
	for _, f := range serverless.Functions(b) {
		b.Run(f.Name, func(b *testing.B) {
			size, err := zipped(f.Bootstrap)
			if err != nil {
				b.Fatal(err)
			}
			var inits []float64
			for b.Loop() {
				d, err := serverless.Init(b.Context(), f)
				if err != nil {
					b.Fatal(err)
				}
				inits = append(inits, float64(d.Microseconds())/1000)
			}
			slices.Sort(inits)
			b.ReportMetric(0, "ns/op") // how long an emulator takes is nobody's concern
			b.ReportMetric(inits[len(inits)/2], "init-ms-median")
			b.ReportMetric(inits[0], "init-ms-min")
			b.ReportMetric(float64(size)/1e6, "zip-MB")
		})
	}
}
