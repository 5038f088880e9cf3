package otlp

// Strands Agents. It speaks the conventions, but for the unit of one time.
func init() {
	register(&dialect{
		name: "strands", rank: 145, scopes: []string{"strands"},
		rules: []rule{
			{key: "gen_ai.server.time_to_first_token", fact: factFirstToken, scale: 1},
		},
	})
}
