package trace

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Merge joins what two spans of one id say: the same span sent twice, a span that
// was sent when it started and again when it had ended, or a span and what log
// records told of it (Patch). The fullest content wins: what is set over what is
// not, an end over none, a failure over success, the longer text over the
// shorter; sets of things are united.
//
// Merge(a, b) is Merge(b, a), Merge(a, a) is a, and it does not matter in which
// order three or more are joined, so a store may merge whatever comes whenever
// it comes. Neither argument is changed; the result shares their contents.
func Merge(stored, arrived *Span) Span {
	a, b := stored, arrived
	m := *a
	if a.Patch != b.Patch {
		// A patch has to name a time and a kind; the span knows better.
		if a.Patch {
			m = *b
		}
		m.Patch = false
	} else {
		m.Start = earlier(a.Start, b.Start)
		m.Kind = greatest(a.Kind, b.Kind, func(k Kind) int { return slices.Index(kindRanks, k) })
		m.EventType = fuller(a.EventType, b.EventType)
		m.Name = fuller(a.Name, b.Name)
		m.Operation = fuller(a.Operation, b.Operation)
		m.Role = greatest(a.Role, b.Role, func(r Role) int { return slices.Index(roleRanks, r) })
		m.Scope = greatest(a.Scope, b.Scope, func(s Scope) string { return s.Name + "\x00" + s.Version })
		m.Source = greatest(a.Source, b.Source, func(s Source) int { return slices.Index(sourceRanks, s) })
		m.Form = max(a.Form, b.Form)
	}
	m.TraceID, m.ParentID, m.SessionID = fuller(a.TraceID, b.TraceID), fuller(a.ParentID, b.ParentID), fuller(a.SessionID, b.SessionID)
	if m.Status = StatusSuccess; a.Status == StatusError || b.Status == StatusError {
		m.Status = StatusError
	}
	m.DurationMS, m.TimeToFirstTokenMS = larger(a.DurationMS, b.DurationMS), larger(a.TimeToFirstTokenMS, b.TimeToFirstTokenMS)
	for _, f := range []struct{ to, a, b **string }{
		{&m.Service, &a.Service, &b.Service},
		{&m.ToolUseID, &a.ToolUseID, &b.ToolUseID},
		{&m.ToolName, &a.ToolName, &b.ToolName},
		{&m.CWD, &a.CWD, &b.CWD},
		{&m.Model, &a.Model, &b.Model},
		{&m.AgentName, &a.AgentName, &b.AgentName},
		{&m.Provider, &a.Provider, &b.Provider},
		{&m.ModelUsed, &a.ModelUsed, &b.ModelUsed},
		{&m.ServiceTier, &a.ServiceTier, &b.ServiceTier},
		{&m.FinishReason, &a.FinishReason, &b.FinishReason},
		{&m.ProviderRequestID, &a.ProviderRequestID, &b.ProviderRequestID},
		{&m.EditedFile, &a.EditedFile, &b.EditedFile},
		{&m.UserID, &a.UserID, &b.UserID},
		{&m.Environment, &a.Environment, &b.Environment},
		{&m.Release, &a.Release, &b.Release},
		{&m.APIKey, &a.APIKey, &b.APIKey},
		{&m.Payload.OutputText, &a.Payload.OutputText, &b.Payload.OutputText},
		{&m.Payload.StatusMessage, &a.Payload.StatusMessage, &b.Payload.StatusMessage},
	} {
		*f.to = fullerText(*f.a, *f.b)
	}
	if m.IsInterrupt = a.IsInterrupt; a.IsInterrupt == nil || (b.IsInterrupt != nil && *b.IsInterrupt) {
		m.IsInterrupt = b.IsInterrupt
	}
	m.Usage, m.InputTokens, m.OutputTokens = fullerUsage(a, b)
	m.CostNanoUSD, m.CostSource = fullerCost(a, b)
	m.Tags = union(a.Tags, b.Tags, cmp.Compare)
	m.CallKey = fuller(a.CallKey, b.CallKey)
	m.Tells = a.Tells | b.Tells
	m.Repeat = a.Repeat && b.Repeat
	m.MappingVersion = max(a.MappingVersion, b.MappingVersion)
	m.Payload.merge(&a.Payload, &b.Payload)
	return m
}

// The ranks say which of two values knows more; what is not listed knows least.
var (
	kindRanks = []Kind{
		KindGeneric, KindEvent, KindNotification, KindSession, KindUserPrompt, KindLLMResponse, KindChain, KindEvaluator, KindGuardrail,
		KindRerank, KindRetrieval, KindAgentRun, KindToolUse, KindEmbedding, KindLLMCall,
	}
	roleRanks   = []Role{RolePart, RoleReport, RoleWrapper, RoleNone}
	sourceRanks = []Source{SourceSDK, SourceOpenClaw, SourceOpenCode, SourceCodex, SourceClaudeCode}
)

func greatest[T any, R cmp.Ordered](a, b T, rank func(T) R) T {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// fuller gives the longer text; of two as long the greater, so that the order
// does not matter.
func fuller[T ~string](a, b T) T {
	if c := cmp.Compare(len(a), len(b)); c < 0 || (c == 0 && a < b) {
		return b
	}
	return a
}

func fullerText(a, b *string) *string {
	if a == nil || (b != nil && fuller(*a, *b) == *b) {
		return b
	}
	return a
}

func fullerJSON(a, b json.RawMessage) json.RawMessage {
	if c := cmp.Compare(len(a), len(b)); c < 0 || (c == 0 && bytes.Compare(a, b) < 0) {
		return b
	}
	return a
}

// fullerUsage gives the larger count with the totals that go with it: counts of
// one span only grow while it runs.
func fullerUsage(a, b *Span) (usage *Usage, input, output *int64) {
	in, out := larger(a.InputTokens, b.InputTokens), larger(a.OutputTokens, b.OutputTokens)
	if compareUsage(b.Usage, a.Usage) > 0 {
		return b.Usage, in, out
	}
	return a.Usage, in, out
}

// compareUsage orders counts of one span: the larger, and of two as large the one
// that knows more of its parts, is the greater. None is the least.
func compareUsage(a, b *Usage) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	key := func(u *Usage) [12]int64 {
		return [...]int64{
			Plus(u.InputTokens(), u.OutputTokens()), u.OutputTokens(), u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.Reasoning, u.AudioInput,
			u.ImageInput, u.AudioOutput, u.ImageOutput, u.Input, u.Output,
		}
	}
	ka, kb := key(a), key(b)
	return slices.Compare(ka[:], kb[:])
}

// fullerCost prefers a cost that the sender gave; then, since a price is that of
// the counts beside it, the one of the counts that are kept; then the larger.
func fullerCost(a, b *Span) (*int64, CostSource) {
	rank := func(s *Span) int {
		switch {
		case s.CostNanoUSD == nil || s.CostSource == CostOfPrices:
			return 0
		case s.CostSource == CostOfSender:
			return 2
		}
		return 1
	}
	c := cmp.Compare(rank(b), rank(a))
	if c == 0 && rank(a) == 0 {
		c = compareUsage(b.Usage, a.Usage)
	}
	if c > 0 || c == 0 && larger(a.CostNanoUSD, b.CostNanoUSD) != a.CostNanoUSD {
		return b.CostNanoUSD, b.CostSource
	}
	return a.CostNanoUSD, a.CostSource
}

// union gives the members of both lists without repeats: in their order if the
// lists are equal, else sorted.
func union[T any](a, b []T, compare func(T, T) int) []T {
	equal := func(x, y T) bool { return compare(x, y) == 0 }
	switch {
	case len(a) == 0 && len(b) == 0:
		return nil
	case len(a) == 0:
		return b
	case len(b) == 0 || slices.EqualFunc(a, b, equal):
		return a
	}
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, compare)
	return slices.CompactFunc(all, equal)
}

// merge joins two payloads into p.
func (p *Payload) merge(a, b *Payload) {
	for _, f := range []struct{ to, a, b *json.RawMessage }{
		{&p.Request, &a.Request, &b.Request},
		{&p.Response, &a.Response, &b.Response},
		{&p.ToolInput, &a.ToolInput, &b.ToolInput},
		{&p.ToolResponse, &a.ToolResponse, &b.ToolResponse},
		{&p.Error, &a.Error, &b.Error},
		{&p.Tools, &a.Tools, &b.Tools},
	} {
		*f.to = fullerJSON(*f.a, *f.b)
	}
	for _, f := range []struct{ to, a, b *json.RawMessage }{
		{&p.Metadata, &a.Metadata, &b.Metadata},
		{&p.Parameters, &a.Parameters, &b.Parameters},
		{&p.Attributes, &a.Attributes, &b.Attributes},
		{&p.Resource, &a.Resource, &b.Resource},
	} {
		*f.to = mergeObjects(*f.a, *f.b)
	}
	p.InputMessages, p.OutputMessages = mergeMessages(a.InputMessages, b.InputMessages), mergeMessages(a.OutputMessages, b.OutputMessages)
	p.Events, p.Links = mergeLists(a.Events, b.Events, "time"), mergeLists(a.Links, b.Links, "traceId")
	p.Raw = mergeRaw(a.Raw, b.Raw)
}

// mergeObjects unites the members of two objects; of a member that both have,
// the fuller value stays.
func mergeObjects(a, b json.RawMessage) json.RawMessage {
	if len(a) == 0 || bytes.Equal(a, b) {
		return b
	}
	if len(b) == 0 {
		return a
	}
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return fullerJSON(a, b)
	}
	for k, v := range y {
		x[k] = fullerJSON(x[k], v)
	}
	out := []byte{'{'}
	for _, k := range slices.Sorted(maps.Keys(x)) {
		name, err := json.Marshal(k)
		if err != nil {
			return fullerJSON(a, b)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), x[k]...)
	}
	return append(out, '}')
}

// mergeMessages joins two conversations. Messages that were told of one by one
// add up; a whole conversation stands for itself, the fuller of two.
func mergeMessages(a, b json.RawMessage) json.RawMessage {
	if len(a) == 0 || bytes.Equal(a, b) {
		return b
	}
	if len(b) == 0 {
		return a
	}
	timedA, timedB := timed(a), timed(b)
	switch {
	case timedA && timedB:
		return mergeLists(a, b, "time")
	case timedA:
		return b
	case timedB:
		return a
	}
	return fullerJSON(a, b)
}

// timed reports whether every message of a list has the time at which it was
// told.
func timed(list json.RawMessage) bool {
	var messages []struct{ Time *time.Time }
	if json.Unmarshal(list, &messages) != nil {
		return false
	}
	return !slices.ContainsFunc(messages, func(m struct{ Time *time.Time }) bool { return m.Time == nil })
}

// mergeLists unites two lists of objects, sorted by one member and then by all.
func mergeLists(a, b json.RawMessage, member string) json.RawMessage {
	if len(a) == 0 || bytes.Equal(a, b) {
		return b
	}
	if len(b) == 0 {
		return a
	}
	type element struct {
		key  string
		json json.RawMessage
	}
	read := func(list json.RawMessage) (out []element, ok bool) {
		var all []json.RawMessage
		if json.Unmarshal(list, &all) != nil {
			return nil, false
		}
		for _, v := range all {
			var members map[string]json.RawMessage
			if json.Unmarshal(v, &members) != nil {
				return nil, false
			}
			e := element{json: v}
			var t time.Time
			if json.Unmarshal(members[member], &t) == nil { // texts of times do not sort as times
				e.key = t.UTC().Format("2006-01-02T15:04:05.000000000")
			} else {
				e.key = string(members[member])
			}
			out = append(out, e)
		}
		return out, true
	}
	x, okX := read(a)
	y, okY := read(b)
	if !okX || !okY {
		return fullerJSON(a, b)
	}
	all := union(x, y, func(e, f element) int {
		if c := cmp.Compare(e.key, f.key); c != 0 {
			return c
		}
		return bytes.Compare(e.json, f.json)
	})
	out := []byte{'['}
	for i, e := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e.json...)
	}
	return append(out, ']')
}

// mergeRaw unites the fields of two protobuf messages, which is how messages of
// repeated fields are joined. Bytes that are no message are kept as one piece.
func mergeRaw(a, b []byte) []byte {
	if len(a) == 0 || bytes.Equal(a, b) {
		return b
	}
	if len(b) == 0 {
		return a
	}
	return bytes.Join(union(rawFields(a), rawFields(b), bytes.Compare), nil)
}

// rawFields cuts a message of length-delimited fields into them.
func rawFields(b []byte) (fields [][]byte) {
	for rest := b; len(rest) > 0; {
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return [][]byte{b}
		}
		size, m := binary.Uvarint(rest[n:])
		if m <= 0 || size > uint64(len(rest)-n-m) {
			return [][]byte{b}
		}
		end := n + m + int(size)
		fields, rest = append(fields, rest[:end:end]), rest[end:]
	}
	return fields
}
