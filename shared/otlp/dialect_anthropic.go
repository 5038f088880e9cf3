package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// The spans that Anthropic's SDK makes itself, beside those of whatever
// instruments it.
func init() {
	register(&dialect{
		name: "anthropic", rank: 150, scopes: []string{"com.anthropic.sdk"},
		rules: []rule{
			{key: "anthropic.usage.cache_creation.ephemeral_5m_input_tokens", fact: factCacheWrite5m},
			{key: "anthropic.usage.cache_creation.ephemeral_1h_input_tokens", fact: factCacheWrite1h},
			{key: "anthropic.message.stop_reason", fact: factFinish},
		},
		before: func(r *reading) { r.role = trace.RoleReport },
	})
}
