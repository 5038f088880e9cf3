package api

import (
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

func TestCheckJSONCountsDepthOutsideOfStrings(t *testing.T) {
	deep := strings.Repeat("[", trace.MaxNestingDepth)
	for _, body := range []string{
		deep + strings.Repeat("]", trace.MaxNestingDepth),
		`["` + deep + deep + `"]`,
		`["\"` + deep + deep + `"]`,
		`["\\","` + deep + deep + `"]`,
		strings.Repeat("[],", 2*trace.MaxNestingDepth),
		`["` + deep + deep, // no string's end: the decoder's business
		`"\`,
	} {
		if _, err := CheckJSON([]byte(body)); err != nil {
			t.Errorf("%.20s…: %v", body, err)
		}
	}
	for _, body := range []string{"[" + deep, `{"a":` + strings.Repeat(`{"a":[`, trace.MaxNestingDepth/2) + "1", `["\\",` + deep} {
		if _, err := CheckJSON([]byte(body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.20s…: %v", body, err)
		}
	}
}
