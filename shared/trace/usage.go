package trace

// Usage is what a call was metered in, in disjoint buckets: whatever convention
// the sender used, each token is in one of them, so that they add up.
type Usage struct {
	Input        int64 `json:"uncachedInputTokens"` // text that was neither read from a cache nor written to one
	CacheRead    int64 `json:"cacheReadTokens"`
	CacheWrite5m int64 `json:"cacheWrite5mTokens"` // also where the sender did not say for how long
	CacheWrite1h int64 `json:"cacheWrite1hTokens"`
	AudioInput   int64 `json:"audioInputTokens"`
	ImageInput   int64 `json:"imageInputTokens"`
	Output       int64 `json:"textOutputTokens"` // text that was answered
	Reasoning    int64 `json:"reasoningTokens"`
	AudioOutput  int64 `json:"audioOutputTokens"`
	ImageOutput  int64 `json:"imageOutputTokens"`
}

// InputTokens is all that went in.
func (u *Usage) InputTokens() int64 {
	return Plus(Plus(Plus(u.Input, u.CacheRead), Plus(u.CacheWrite5m, u.CacheWrite1h)), Plus(u.AudioInput, u.ImageInput))
}

// OutputTokens is all that came out.
func (u *Usage) OutputTokens() int64 {
	return Plus(Plus(u.Output, u.Reasoning), Plus(u.AudioOutput, u.ImageOutput))
}
