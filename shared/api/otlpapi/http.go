package otlpapi

import (
	"bytes"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// encodingOf tells the encoding of a request. Clients of the earlier service say
// anything, or nothing, of JSON; what is clearly something else is
// fault.Unsupported.
func encodingOf(r *http.Request) (otlp.Encoding, error) {
	mt, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // "" if it is none
	major, minor, _ := strings.Cut(mt, "/")
	switch major {
	case "application":
		switch {
		case minor == "x-protobuf" || minor == "protobuf" || minor == "x-google-protobuf" || minor == "vnd.google.protobuf":
			return otlp.Protobuf, nil
		case strings.HasPrefix(minor, "grpc"):
			return 0, fault.New(fault.Unsupported, "Unsupported Content-Type: gRPC is for OTLP_GRPC_PORT; here send application/x-protobuf or application/json")
		}
		switch minor {
		case "xml", "pdf", "zip", "x-ndjson", "msgpack", "x-msgpack", "cbor", "x-thrift":
			return 0, unsupportedType
		}
	case "multipart", "image", "audio", "video", "font", "model":
		return 0, unsupportedType
	case "text":
		if minor == "html" || minor == "xml" || minor == "csv" {
			return 0, unsupportedType
		}
	}
	return otlp.JSON, nil
}

var unsupportedType = fault.New(fault.Unsupported, "Unsupported Content-Type: send application/x-protobuf or application/json")

// overHTTP is OTLP/HTTP.
type overHTTP struct{}

// Key implements api.Protocol.
func (overHTTP) Key(r *http.Request) (string, bool) { return findKey(r) }

// errorBody is an error in JSON: with the member that clients of the earlier
// service look for, and those of google.rpc.Status.
type errorBody struct {
	Error     string `json:"error"`
	Code      int    `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId,omitzero"` // of internal errors
}

// WriteError implements api.Protocol: an error is a google.rpc.Status in the
// encoding of the request.
func (overHTTP) WriteError(w http.ResponseWriter, r *http.Request, f api.Failure) {
	if enc, err := encodingOf(r); err == nil && enc == otlp.Protobuf {
		api.WriteBody(w, f.Status, typeProtobuf, rpcStatus(f))
		return
	}
	if err := api.WriteJSON(w, f.Status, errorBody{f.Message, f.RPC, f.Message, f.RequestID}); err != nil {
		panic(err) // strings and ints always encode
	}
}

// overHTTP takes a request of a signal.
func (g *Group) overHTTP(s *signal) api.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		enc, err := encodingOf(r)
		if err != nil {
			return err
		}
		body, err := api.ReadBody(r)
		if err != nil {
			return err
		}
		body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")) // no message of protobuf begins so
		p, err := g.export(r, s, body, enc)
		if err != nil {
			return err
		}
		if enc == otlp.Protobuf {
			api.WriteBody(w, http.StatusOK, typeProtobuf, p.message())
			return nil
		}
		return api.WriteJSON(w, http.StatusOK, p.object(s))
	}
}

// object is the response of a signal as JSON.
func (p partial) object(s *signal) map[string]any {
	if p.rejected == 0 {
		return map[string]any{}
	}
	return map[string]any{"partialSuccess": map[string]any{s.rejected: p.rejected, "errorMessage": p.reason}}
}

// message is the same as protobuf: the messages of all signals are alike.
func (p partial) message() []byte {
	if p.rejected == 0 {
		return nil
	}
	success := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(p.rejected))
	success = protowire.AppendString(protowire.AppendTag(success, 2, protowire.BytesType), p.reason)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), success)
}

// rpcStatus is a google.rpc.Status. Where the same call may work later, a
// google.rpc.RetryInfo says when.
func rpcStatus(f api.Failure) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(f.RPC))
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), f.Message)
	if f.RetryAfter <= 0 {
		return b
	}
	duration := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(f.RetryAfter.Seconds()))
	duration = protowire.AppendVarint(protowire.AppendTag(duration, 2, protowire.VarintType), uint64(f.RetryAfter.Nanoseconds()%1e9))
	info := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), duration)
	detail := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "type.googleapis.com/google.rpc.RetryInfo")
	detail = protowire.AppendBytes(protowire.AppendTag(detail, 2, protowire.BytesType), info)
	return protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), detail)
}
