package otlp

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/fault"
)

// The fields of metrics that lead to their data points.
const (
	fieldScopeMetrics         = 2
	fieldMetrics              = 2
	fieldGauge                = 5
	fieldSum                  = 7
	fieldHistogram            = 9
	fieldExponentialHistogram = 10
	fieldSummary              = 11
	fieldDataPoints           = 1
)

// CountPoints counts the data points of an ExportMetricsServiceRequest, none of
// which is kept. fault.Invalid if it cannot be read.
func CountPoints(body []byte, enc Encoding) (int64, error) {
	if enc == JSON {
		return countJSON(body)
	}
	return countProto(body, []protowire.Number{fieldResourceSpans, fieldScopeMetrics, fieldMetrics})
}

// countProto follows the fields of path, and then those of all kinds of metrics.
func countProto(b []byte, path []protowire.Number) (n int64, err error) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return 0, invalidProto(err)
		}
		b = rest
		data, ok := f.bytes()
		if !ok {
			continue
		}
		var more int64
		switch {
		case len(path) > 0 && f.num == path[0]:
			more, err = countProto(data, path[1:])
		case len(path) > 0:
		case f.num == fieldGauge || f.num == fieldSum || f.num == fieldHistogram || f.num == fieldExponentialHistogram || f.num == fieldSummary:
			more, err = countFields(data, fieldDataPoints)
		}
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

func countFields(b []byte, num protowire.Number) (n int64, err error) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return 0, invalidProto(err)
		}
		b = rest
		if f.num == num && f.typ == protowire.BytesType {
			n++
		}
	}
	return n, nil
}

func countJSON(body []byte) (n int64, err error) {
	e := &encoder{dec: jsontext.NewDecoder(bytes.NewBuffer(body), lenient...)}
	found := false
	point := func() error {
		n++
		return e.dec.SkipValue()
	}
	metric := func() error {
		return e.object(func(name string) error {
			switch name {
			case "gauge", "sum", "histogram", "exponentialHistogram", "summary":
				return e.object(func(name string) error {
					if name != "dataPoints" {
						return e.dec.SkipValue()
					}
					return e.array(point)
				})
			}
			return e.dec.SkipValue()
		})
	}
	list := func(name string, one func() error) func() error {
		return func() error {
			return e.object(func(got string) error {
				if got != name {
					return e.dec.SkipValue()
				}
				found = found || name == "resourceMetrics" && e.dec.PeekKind() == '['
				return e.array(one)
			})
		}
	}
	err = list("resourceMetrics", list("scopeMetrics", list("metrics", metric)))()
	switch {
	case err != nil || e.dec.PeekKind() != 0 || len(bytes.TrimSpace(body[e.dec.InputOffset():])) > 0:
		return 0, fault.Wrap(fault.Invalid, "Invalid JSON body", err)
	case !found:
		return 0, fault.New(fault.Invalid, "Missing resourceMetrics")
	}
	return n, nil
}
