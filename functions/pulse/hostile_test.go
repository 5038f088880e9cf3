package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/testkit"
)

const (
	hostileAtOnce = 2 // requests
	// hostileMemory bounds what the process may have beside anyMemory: for each
	// request a body of MAX_BODY_BYTES (32 MiB), the buffer of half the size that
	// it grew out of and, of JSON, its copy in protobuf; three times that, as
	// host.KeepMemorySmall has the garbage collector work. It is less than what
	// one of the bombs would grow to.
	hostileMemory = 3 * hostileAtOnce * (32 + 16 + 32) << 20
	bombBytes     = 1 << 30
)

// ending is how a request ended, the same over HTTP and gRPC.
type ending string

const (
	endTaken    ending = "taken"
	endRejected ending = "taken but for a span"
	endInvalid  ending = "refused as invalid"
	endTooLarge ending = "refused as too large"
	endOther    ending = "neither taken nor refused"
)

// TestHostile sends what is made to do harm by OpenTelemetry, over HTTP and
// gRPC, with the limits that users have. It costs a span or the request, within
// bounded memory, and never the server.
func TestHostile(t *testing.T) {
	t.Parallel()
	const (
		million      = 1_000_000
		protobufType = "application/x-protobuf"
		jsonType     = "application/json"
	)
	span := func(b []byte) []byte { return appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, b))) }
	spanJSON := func(s string) []byte {
		return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"1","spanId":"1",` + s + `}]}]}]}`)
	}
	named := appendField(appendField(nil, 1, []byte("a hostile trace ")), 2, []byte("a span. "))
	deep := appendField(nil, 1, []byte("x"))
	for range 10_000 {
		deep = appendField(nil, 5, appendField(nil, 1, deep))
	}
	key := appendField(nil, 1, []byte("k"))
	deepJSON := func(levels int) string {
		return `"attributes":[{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, levels) + "{}" + strings.Repeat("]}}", levels) + "}]"
	}
	lying := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), 1<<40)
	type hostile struct {
		name, contentType, encoding string
		body                        []byte
		want                        ending
	}
	cases := []hostile{
		{"Deep", protobufType, "", span(appendField(named, 9, appendField(key, 2, deep))), endRejected},
		{"DeepJSON", jsonType, "", spanJSON(deepJSON(3000)), endRejected},
		{"DeeperJSON", jsonType, "", spanJSON(deepJSON(million)), endInvalid},
		{"DeepUnknownJSON", jsonType, "", []byte(strings.Repeat(`{"x":`, million)), endInvalid},
		{"Attributes", protobufType, "", span(append(bytes.Clone(named), bytes.Repeat(appendField(nil, 9, key), million)...)), endRejected},
		{"AttributesJSON", jsonType, "", spanJSON(`"attributes":[` + strings.Repeat(`{"key":"k"},`, million) + `{}]`), endRejected},
		{"Events", protobufType, "", span(append(bytes.Clone(named), bytes.Repeat(appendField(nil, 11, nil), million)...)), endRejected},
		{"Pairs", protobufType, "", span(appendField(named, 9, appendField(key, 2, appendField(nil, 6, bytes.Repeat(appendField(nil, 1, key), million))))), endRejected},
		{"Spans", protobufType, "", appendField(nil, 1, appendField(nil, 2, bytes.Repeat(appendField(nil, 2, nil), million))), endTooLarge},
		{"SpansJSON", jsonType, "", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat("{},", million) + `{}]}]}]}`), endTooLarge},
		{"Groups", protobufType, "", bytes.Repeat(appendField(nil, 1, appendField(nil, 2, nil)), million), endTaken},
		{"BracketsInText", jsonType, "", spanJSON(`"attributes":[{"key":"gen_ai.input.messages","value":{"stringValue":"` + strings.Repeat("[", million) + `"}}]`), endTaken},
		{"InvalidUTF8", protobufType, "", span(appendField(appendAttribute(bytes.Clone(named), "\xfe", "\xff"), 5, []byte("\xff"))), endTaken},
		{"InvalidUTF8JSON", jsonType, "", spanJSON("\"name\":\"\xff\",\"attributes\":[{\"key\":\"\xfe\",\"value\":{\"stringValue\":\"\xff\"}}]"), endTaken},
		{"NUL", protobufType, "", span(appendField(appendAttribute(bytes.Clone(named), "\x00", "\x00"), 5, []byte("\x00"))), endTaken},
		{"Lying", protobufType, "", lying, endInvalid},
		{"LyingInside", protobufType, "", span(lying), endRejected},
		{"Zeros", protobufType, "", make([]byte, 32<<20), endInvalid},
		{"OneByteMore", protobufType, "", make([]byte, 32<<20+1), endTooLarge},
	}
	for _, encoding := range []string{"gzip", "zstd", "deflate"} {
		bomb := bombOf(t, encoding)
		cases = append(cases,
			hostile{"Bomb " + encoding, protobufType, encoding, bomb, endTooLarge},
			hostile{"BombJSON " + encoding, jsonType, encoding, bomb, endTooLarge},
			hostile{"HalfABomb " + encoding, protobufType, encoding, bomb[:1000], endInvalid})
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			p, grpc := withGRPC(t, e.env(t)...)
			a := p.SignUp()
			before := p.PeakMemory()
			send := func(c hostile, how string, url string, client *http.Client, body io.Reader, header map[string]string) {
				got, detail := sendHostile(t, a, url, client, body, header)
				if got != c.want {
					t.Errorf("%s %s is %s (%s), want %s", c.name, how, got, detail, c.want)
				}
			}
			rpc := &http.Client{Transport: &http.Transport{Protocols: unencryptedHTTP2()}}
			t.Cleanup(rpc.CloseIdleConnections)
			var wg sync.WaitGroup
			slots := make(chan struct{}, hostileAtOnce)
			for _, c := range cases {
				wg.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					header := map[string]string{"Content-Type": c.contentType, "Content-Encoding": c.encoding}
					send(c, "over HTTP", p.URL+"/v1/traces", http.DefaultClient, bytes.NewReader(c.body), header)
					send(c, "in chunks", p.URL+"/v1/traces", http.DefaultClient, io.MultiReader(bytes.NewReader(c.body)), header)
					if c.contentType == protobufType {
						flag := byte(0)
						if c.encoding != "" {
							flag = 1
						}
						send(c, "over gRPC", "http://"+grpc+traceMethod, rpc, bytes.NewReader(grpcFrame(flag, c.body)),
							map[string]string{"Content-Type": "application/grpc", "Grpc-Encoding": c.encoding})
					}
				})
			}
			wg.Wait()
			good := grpcFrame(0, span(named))
			for _, c := range []hostile{
				{"NoFrame", "", "", nil, endInvalid},
				{"HalfAHead", "", "", good[:3], endInvalid},
				{"Cut", "", "", good[:len(good)-1], endInvalid},
				{"TwoFrames", "", "", append(bytes.Clone(good), good...), endInvalid},
				{"Flag", "", "", append([]byte{7}, good[1:]...), endInvalid},
				{"NoEncoding", "", "", append([]byte{1}, good[1:]...), endInvalid},
				{"NotGzip", "", "gzip", append([]byte{1}, good[1:]...), endInvalid},
				{"LyingFrame", "", "", append([]byte{0, 0xff, 0xff, 0xff, 0xff}, good[5:]...), endTooLarge},
				{"LyingZippedFrame", "", "gzip", append([]byte{1, 0xff, 0xff, 0xff, 0xff}, good[5:]...), endTooLarge},
				{"EndlessFrame", "", "", append([]byte{0, 1, 0xff, 0xff, 0xff}, good[5:]...), endInvalid},
			} {
				send(c, "over gRPC", "http://"+grpc+traceMethod, rpc, bytes.NewReader(c.body), map[string]string{"Content-Type": "application/grpc", "Grpc-Encoding": c.encoding})
			}
			peak := p.PeakMemory()
			t.Logf("at most %d MB of memory, %d MB before", peak>>20, before>>20)
			if peak > anyMemory+hostileMemory {
				t.Errorf("it took %d MB of memory, %d are allowed", peak>>20, (anyMemory+hostileMemory)>>20)
			}
			// What was taken is there, and the server takes more.
			var page struct{ Total int }
			p.JSON(a, http.MethodGet, "/v1/spans?limit=1", "", http.StatusOK, &page)
			if page.Total != 2 { // of one id in protobuf and one in JSON
				t.Errorf("%d spans are there", page.Total)
			}
			exportSpans(t, p, a, newLargeTree(3).spans([]int{0, 1, 2}, "fine"))
			p.JSON(a, http.MethodGet, "/v1/spans?limit=1", "", http.StatusOK, &page)
			if page.Total != 5 {
				t.Errorf("%d spans are there in the end", page.Total)
			}
		})
	}
}

const traceMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// sendHostile sends a request and tells how it ended. It may end before it was
// sent whole: an answer counts all the same.
func sendHostile(t *testing.T, a testkit.Account, url string, client *http.Client, body io.Reader, header map[string]string) (end ending, detail string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		return endOther, err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+a.Key)
	for name, value := range header {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return endOther, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return endOther, err.Error()
	}
	empty := 0 // the size of an answer that rejects nothing
	status := resp.Header.Get("Grpc-Status")
	if status == "" {
		status = resp.Trailer.Get("Grpc-Status")
	}
	message := resp.Header.Get("Grpc-Message")
	switch header["Content-Type"] {
	case "application/grpc":
		empty = 5
	case "application/json":
		empty = len("{}")
	}
	detail = fmt.Sprintf("%s, status %q, %q, %.200q", resp.Status, status, message, answer)
	tooLarge := strings.Contains(message, "larger than") || strings.Contains(message, "exceeds") // gRPC has no status for it
	switch {
	case resp.StatusCode == http.StatusRequestEntityTooLarge, status == "3" && tooLarge:
		return endTooLarge, detail
	case resp.StatusCode == http.StatusBadRequest, status == "3":
		return endInvalid, detail
	case resp.StatusCode != http.StatusOK, status != "" && status != "0":
		return endOther, detail
	case len(answer) > empty:
		return endRejected, detail
	}
	return endTaken, detail
}

func unencryptedHTTP2() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

// grpcFrame makes a message of gRPC.
func grpcFrame(flag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(body))), body...)
}

// bombOf compresses bombBytes of nothing.
func bombOf(t *testing.T, encoding string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w, err = gzip.NewWriterLevel(&b, gzip.BestSpeed)
	case "deflate":
		w, err = zlib.NewWriterLevel(&b, zlib.BestSpeed)
	case "zstd":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	if err != nil {
		t.Fatal(err)
	}
	nothing := make([]byte, 1<<20)
	for range bombBytes / len(nothing) {
		if _, err := w.Write(nothing); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
