package queryapi

import (
	"net/http"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// topCount is how many models and tools an overview names.
const topCount = 5

type groupBy string

const (
	groupDay      groupBy = "day"
	groupHour     groupBy = "hour"
	groupModel    groupBy = "model"
	groupProvider groupBy = "provider"
)

// period gives the width of the series beside a grouping.
func (g groupBy) period() store.Period {
	if g == groupHour {
		return store.PeriodHour
	}
	return store.PeriodDay
}

// callAnalyticsView is the answer of GET …/analytics. Costs are cents, times
// milliseconds, rates percent; what is divided by nothing is 0.
type callAnalyticsView struct {
	TotalCost        float64            `json:"totalCost"`
	TotalRequests    int64              `json:"totalRequests"`
	TotalSessions    int64              `json:"totalSessions"`
	TotalTokens      tokensView         `json:"totalTokens"`
	AvgLatency       float64            `json:"avgLatency"`
	Latency          quantilesView      `json:"latency"`
	TimeToFirstToken quantilesView      `json:"timeToFirstToken"`
	ErrorRate        float64            `json:"errorRate"`
	CostOverTime     []costPointView    `json:"costOverTime"`
	CostByProvider   []providerCostView `json:"costByProvider"`
	TopModels        []topModelView     `json:"topModels"`
	Computed         computedView       `json:"computed"`
	Groups           []groupView        `json:"groups,omitzero"` // with group_by=model or provider: all of them
}

type tokensView struct {
	Input  int64 `json:"input"`
	Output int64 `json:"output"`
	Total  int64 `json:"total"`
}

// quantilesView holds milliseconds, within 1%; null where nothing was measured.
type quantilesView struct {
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
	P95 *float64 `json:"p95"`
	P99 *float64 `json:"p99"`
}

type costPointView struct {
	Period    string  `json:"period"`
	Provider  string  `json:"provider"`
	CostCents float64 `json:"costCents"`
}

type providerCostView struct {
	Provider  string  `json:"provider"`
	CostCents float64 `json:"costCents"`
	Requests  int64   `json:"requests"`
}

type topModelView struct {
	Provider    string  `json:"provider"`
	Model       string  `json:"model"`
	Requests    int64   `json:"requests"`
	CostCents   float64 `json:"costCents"`
	AvgLatency  float64 `json:"avgLatency"`
	TotalTokens int64   `json:"totalTokens"`
	ErrorRate   float64 `json:"errorRate"`
}

type computedView struct {
	CostPerRequest   float64 `json:"costPerRequest"`
	TokensPerRequest float64 `json:"tokensPerRequest"`
	CostPer1kTokens  float64 `json:"costPer1kTokens"`
	TracesPerSession float64 `json:"tracesPerSession"`
	AvgInputTokens   float64 `json:"avgInputTokens"`
	AvgOutputTokens  float64 `json:"avgOutputTokens"`
}

// groupView is one model of one provider, or one provider.
type groupView struct {
	Provider         string        `json:"provider"`
	Model            *string       `json:"model,omitzero"` // of models
	Requests         int64         `json:"requests"`
	CostCents        float64       `json:"costCents"`
	AvgLatency       float64       `json:"avgLatency"`
	Latency          quantilesView `json:"latency"`
	TimeToFirstToken quantilesView `json:"timeToFirstToken"`
	TotalTokens      tokensView    `json:"totalTokens"`
	ErrorRate        float64       `json:"errorRate"`
}

func (h *handlers) callAnalytics(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r)
	span := q.analyticsRange()
	group := enum(q, "group_by", []groupBy{groupDay, groupHour, groupModel, groupProvider})
	period := group.period()
	if asked := enum(q, "period", []store.Period{store.PeriodDay, store.PeriodHour}); asked != "" {
		period = asked
	}
	if err := q.err(); err != nil {
		return err
	}
	h.Barrier(r.Context())
	a, err := h.Analytics.CallAnalytics(r.Context(), reqctx.Project(r.Context()), span, period)
	if err != nil {
		return err
	}
	return api.WriteJSON(w, http.StatusOK, callAnalyticsViewOf(a, group))
}

func callAnalyticsViewOf(a store.CallAnalytics, group groupBy) callAnalyticsView {
	s := &a.Sums
	tokens := tokensOf(s)
	cost := trace.Cents(s.CostNanoUSD)
	v := callAnalyticsView{
		TotalCost: cost, TotalRequests: s.Calls, TotalSessions: a.Sessions, TotalTokens: tokens,
		AvgLatency: meanMS(s.DurationUS, s.Timed), Latency: quantilesView(s.Latency), TimeToFirstToken: quantilesView(s.FirstToken),
		ErrorRate: percent(s.Errors, s.Calls),
		Computed: computedView{
			CostPerRequest: ratio(cost, s.Calls), TokensPerRequest: ratio(float64(tokens.Total), s.Calls),
			CostPer1kTokens: ratio(cost, tokens.Total) * 1000, TracesPerSession: ratio(float64(s.Calls), a.Sessions),
			AvgInputTokens: ratio(float64(tokens.Input), s.Calls), AvgOutputTokens: ratio(float64(tokens.Output), s.Calls),
		},
	}
	for _, p := range a.Series {
		v.CostOverTime = append(v.CostOverTime, costPointView{p.Period, p.Provider, trace.Cents(p.CostNanoUSD)})
	}
	for _, p := range a.ByProvider {
		v.CostByProvider = append(v.CostByProvider, providerCostView{p.Provider, trace.Cents(p.CostNanoUSD), p.Calls})
	}
	for _, m := range a.ByModel[:min(topCount, len(a.ByModel))] {
		v.TopModels = append(v.TopModels, topModelView{
			Provider: m.Provider, Model: m.Model, Requests: m.Calls,
			CostCents: trace.Cents(m.CostNanoUSD), AvgLatency: meanMS(m.DurationUS, m.Timed),
			TotalTokens: m.InputTokens + m.OutputTokens, ErrorRate: percent(m.Errors, m.Calls),
		})
	}
	switch group {
	case groupModel:
		v.Groups = make([]groupView, 0, len(a.ByModel))
		for i := range a.ByModel {
			m := &a.ByModel[i]
			v.Groups = append(v.Groups, groupOf(m.Provider, &m.Model, &m.CallSums))
		}
	case groupProvider:
		v.Groups = make([]groupView, 0, len(a.ByProvider))
		for i := range a.ByProvider {
			p := &a.ByProvider[i]
			v.Groups = append(v.Groups, groupOf(p.Provider, nil, &p.CallSums))
		}
	}
	return v
}

func groupOf(provider string, model *string, s *store.CallSums) groupView {
	return groupView{
		Provider: provider, Model: model, Requests: s.Calls, CostCents: trace.Cents(s.CostNanoUSD),
		AvgLatency: meanMS(s.DurationUS, s.Timed), Latency: quantilesView(s.Latency), TimeToFirstToken: quantilesView(s.FirstToken),
		TotalTokens: tokensOf(s), ErrorRate: percent(s.Errors, s.Calls),
	}
}

func tokensOf(s *store.CallSums) tokensView {
	return tokensView{s.InputTokens, s.OutputTokens, s.InputTokens + s.OutputTokens}
}

// spanAnalyticsView is the answer of GET …/analytics/spans. Tool calls and agent
// runs count each span: one before and one after the work are two.
type spanAnalyticsView struct {
	AgentRuns            int64             `json:"agentRuns"`
	ToolCalls            int64             `json:"toolCalls"`
	AvgSessionDurationMS float64           `json:"avgSessionDurationMs"`
	SuccessRate          float64           `json:"successRate"`
	TopTools             []toolCountView   `json:"topTools"`
	TotalSpans           int64             `json:"totalSpans"`
	ErrorRate            float64           `json:"errorRate"`
	AvgDurationMS        float64           `json:"avgDurationMs"`
	SpansByKind          []kindCountView   `json:"spansByKind"`
	SpansBySource        []sourceCountView `json:"spansBySource"`
	SpansOverTime        []periodCountView `json:"spansOverTime"`
}

type toolCountView struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

type kindCountView struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
}

type sourceCountView struct {
	Source string `json:"source"`
	Count  int64  `json:"count"`
}

type periodCountView struct {
	Period string `json:"period"`
	Count  int64  `json:"count"`
}

func (h *handlers) spanAnalytics(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r)
	span := q.analyticsRange()
	group := enum(q, "group_by", []groupBy{groupDay, groupHour})
	if err := q.err(); err != nil {
		return err
	}
	h.Barrier(r.Context())
	a, err := h.Analytics.SpanAnalytics(r.Context(), reqctx.Project(r.Context()), span, group.period())
	if err != nil {
		return err
	}
	return api.WriteJSON(w, http.StatusOK, spanAnalyticsViewOf(a))
}

func spanAnalyticsViewOf(a store.SpanAnalytics) spanAnalyticsView {
	v := spanAnalyticsView{
		AvgSessionDurationMS: meanMS(a.SessionDurationUS, a.SessionTimed), TotalSpans: a.Spans,
		ErrorRate: percent(a.Errors, a.Spans), AvgDurationMS: meanMS(a.DurationUS, a.Timed),
	}
	if a.Spans > 0 {
		v.SuccessRate = 100 - v.ErrorRate
	}
	for _, c := range a.ByKind {
		switch trace.Kind(c.Name) {
		case trace.KindAgentRun:
			v.AgentRuns = c.Count
		case trace.KindToolUse:
			v.ToolCalls = c.Count
		}
		v.SpansByKind = append(v.SpansByKind, kindCountView{c.Name, c.Count})
	}
	for _, c := range a.BySource {
		v.SpansBySource = append(v.SpansBySource, sourceCountView{c.Name, c.Count})
	}
	for _, c := range a.Tools[:min(topCount, len(a.Tools))] {
		v.TopTools = append(v.TopTools, toolCountView(c))
	}
	for _, c := range a.Series {
		v.SpansOverTime = append(v.SpansOverTime, periodCountView{c.Name, c.Count})
	}
	return v
}

// ratio is a/b, 0 where b is 0.
func ratio(a float64, b int64) float64 {
	if b == 0 {
		return 0
	}
	return a / float64(b)
}

func percent(part, all int64) float64 { return ratio(float64(part), all) * 100 }

// meanMS is the mean, in milliseconds, of n durations that add up to sumUS.
func meanMS(sumUS, n int64) float64 { return ratio(float64(sumUS), n*1000) }
