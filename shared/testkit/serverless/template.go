package serverless

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// Template is what this package reads of a SAM template.
type Template struct {
	Functions []TemplateFunction // by ID
	Routes    []Route            // as an HTTP API chooses: what takes precedence first
	Queues    map[string]TemplateQueue
	Mappings  []TemplateMapping // by ID
}

// TemplateFunction is an AWS::Serverless::Function.
type TemplateFunction struct {
	ID       string
	Timeout  time.Duration
	MemoryMB int
	Env      map[string]string
}

// TemplateQueue is an AWS::SQS::Queue.
type TemplateQueue struct {
	ID         string
	Name       string
	Attributes map[string]string // as CreateQueue takes them, but for the redrive policy
	DeadLetter string            // ID of the queue that takes what was delivered too often; "" is none
	MaxReceive int
}

// TemplateMapping is an AWS::Lambda::EventSourceMapping.
type TemplateMapping struct {
	ID           string
	Function     string // ID
	Queue        string // ID
	BatchSize    int
	Window       time.Duration
	PartialFails bool // ReportBatchItemFailures
}

// Route is a route of the HTTP API.
type Route struct {
	Method   string // ANY is every method
	Path     string // "" is $default, the route of what no other matches
	Function string // ID
}

// Key is the route's name as events have it.
func (r Route) Key() string {
	if r.Path == "" {
		return "$default"
	}
	return r.Method + " " + r.Path
}

// LoadTemplate reads a template as it is deployed under a stack name with
// parameters; those not given have their defaults, or are empty.
func LoadTemplate(file, stack string, parameters map[string]string) (*Template, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := parseTemplate(raw, stack, parameters)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}

func parseTemplate(raw []byte, stack string, parameters map[string]string) (*Template, error) {
	var doc struct {
		Parameters map[string]struct {
			Default yaml.Node `yaml:"Default"`
		} `yaml:"Parameters"`
		Conditions map[string]yaml.Node `yaml:"Conditions"`
		Mappings   yaml.Node            `yaml:"Mappings"`
		Globals    struct {
			Function yaml.Node `yaml:"Function"`
		} `yaml:"Globals"`
		Resources yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	s := &scope{conditions: doc.Conditions, mappings: &doc.Mappings, names: map[string]string{
		"AWS::StackName": stack, "AWS::Region": testkit.Region, "AWS::AccountId": testkit.AccountID, "AWS::Partition": "aws",
		"AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": "",
	}}
	for name, p := range doc.Parameters {
		s.names[name] = p.Default.Value
	}
	for name, value := range parameters {
		if _, ok := doc.Parameters[name]; !ok {
			return nil, fmt.Errorf("there is no parameter %s", name)
		}
		s.names[name] = value
	}
	resources, err := s.expand(&doc.Resources)
	if err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	t := &Template{Queues: map[string]TemplateQueue{}}
	for _, r := range resources {
		if err := t.add(r, &doc.Globals.Function); err != nil {
			return nil, fmt.Errorf("resource %s: %w", r.key, err)
		}
	}
	slices.SortFunc(t.Functions, func(a, b TemplateFunction) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(t.Mappings, func(a, b TemplateMapping) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortStableFunc(t.Routes, compareRoutes)
	return t, nil
}

// add reads a resource of the kinds that count here.
func (t *Template) add(r member, globals *yaml.Node) error {
	var resource struct {
		Type       string    `yaml:"Type"`
		Condition  string    `yaml:"Condition"`
		Properties yaml.Node `yaml:"Properties"`
	}
	if err := r.value.Decode(&resource); err != nil {
		return err
	}
	if resource.Condition != "" {
		if made, err := r.scope.condition(resource.Condition); err != nil || !made {
			return err
		}
	}
	switch resource.Type {
	case "AWS::Serverless::Function":
		return t.addFunction(r, &resource.Properties, globals)
	case "AWS::SQS::Queue":
		return t.addQueue(r, &resource.Properties)
	case "AWS::Lambda::EventSourceMapping":
		return t.addMapping(r, &resource.Properties)
	case "AWS::Serverless::HttpApi":
		if field(&resource.Properties, "CorsConfiguration") != nil {
			return errors.New("the handlers answer preflights: an API with CorsConfiguration would do it before them")
		}
	}
	return nil
}

func (t *Template) addFunction(r member, properties, globals *yaml.Node) error {
	f := TemplateFunction{ID: r.key, Env: map[string]string{}}
	for _, from := range []*yaml.Node{globals, properties} {
		if n := field(from, "Timeout"); n != nil {
			seconds, err := r.scope.number(n)
			if err != nil {
				return fmt.Errorf("its Timeout: %w", err)
			}
			f.Timeout = time.Duration(seconds) * time.Second
		}
		if n := field(from, "MemorySize"); n != nil {
			var err error
			if f.MemoryMB, err = r.scope.number(n); err != nil {
				return fmt.Errorf("its MemorySize: %w", err)
			}
		}
		variables, err := r.scope.expand(field(field(from, "Environment"), "Variables"))
		if err != nil {
			return err
		}
		for _, v := range variables {
			if f.Env[v.key], err = v.scope.text(v.value); err != nil {
				return fmt.Errorf("variable %s: %w", v.key, err)
			}
		}
	}
	t.Functions = append(t.Functions, f)
	events, err := r.scope.expand(field(properties, "Events"))
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := t.addRoute(e, f.ID); err != nil {
			return fmt.Errorf("event %s: %w", e.key, err)
		}
	}
	return nil
}

// addRoute reads an event of a function that is a route of the API.
func (t *Template) addRoute(e member, function string) error {
	if kind := field(e.value, "Type"); kind == nil || kind.Value != "HttpApi" {
		return nil
	}
	r := Route{Function: function}
	var err error
	properties := field(e.value, "Properties")
	if r.Path, err = e.scope.text(field(properties, "Path")); err != nil {
		return err
	}
	if r.Method, err = e.scope.text(field(properties, "Method")); err != nil {
		return err
	}
	if r.Method = strings.ToUpper(cmp.Or(r.Method, "ANY")); r.Path == "$default" {
		r.Path = ""
	}
	t.Routes = append(t.Routes, r)
	return nil
}

func (t *Template) addQueue(r member, properties *yaml.Node) error {
	q := TemplateQueue{ID: r.key, Name: r.key, Attributes: map[string]string{}}
	members, err := r.scope.expand(properties)
	if err != nil {
		return err
	}
	for _, m := range members {
		switch m.key {
		case "QueueName":
			q.Name, err = m.scope.text(m.value)
		case "RedrivePolicy":
			var target string
			if target, err = m.scope.text(field(m.value, "deadLetterTargetArn")); err == nil {
				q.DeadLetter = strings.TrimSuffix(target, ".Arn")
				q.MaxReceive, err = m.scope.number(field(m.value, "maxReceiveCount"))
			}
		case "Tags":
		default:
			q.Attributes[m.key], err = m.scope.text(m.value)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.key, err)
		}
	}
	t.Queues[q.ID] = q
	return nil
}

func (t *Template) addMapping(r member, properties *yaml.Node) error {
	m := TemplateMapping{ID: r.key, BatchSize: 10}
	members, err := r.scope.expand(properties)
	if err != nil {
		return err
	}
	for _, p := range members {
		switch p.key {
		case "FunctionName":
			m.Function, err = p.scope.text(p.value)
			m.Function = strings.TrimSuffix(m.Function, ".Arn")
		case "EventSourceArn":
			m.Queue, err = p.scope.text(p.value)
			m.Queue = strings.TrimSuffix(m.Queue, ".Arn")
		case "BatchSize":
			m.BatchSize, err = p.scope.number(p.value)
		case "MaximumBatchingWindowInSeconds":
			var seconds int
			seconds, err = p.scope.number(p.value)
			m.Window = time.Duration(seconds) * time.Second
		case "FunctionResponseTypes":
			m.PartialFails = slices.ContainsFunc(p.value.Content, func(n *yaml.Node) bool { return n.Value == "ReportBatchItemFailures" })
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.key, err)
		}
	}
	t.Mappings = append(t.Mappings, m)
	return nil
}

// scope is what names mean at a place of the template.
type scope struct {
	names      map[string]string // parameters, pseudo parameters and loop variables
	loops      []string          // loop variables, which count in every text
	conditions map[string]yaml.Node
	mappings   *yaml.Node
}

// member is one of a mapping's, with the scope that it is read in.
type member struct {
	key   string
	value *yaml.Node
	scope *scope
}

// field gives the value of a name in a mapping, nil if there is none.
func field(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

const forEach = "Fn::ForEach::"

// expand lists the members of a mapping, with Fn::ForEach and Fn::If unrolled.
// A nil node has none.
func (s *scope) expand(n *yaml.Node) ([]member, error) {
	if n == nil || n.Kind == 0 {
		return nil, nil
	}
	if name, args := intrinsic(n); name == "If" {
		chosen, err := s.choose(args)
		if err != nil {
			return nil, err
		}
		return s.expand(chosen)
	}
	if n.Kind != yaml.MappingNode {
		if n.Kind == yaml.ScalarNode { // !Ref AWS::NoValue
			return nil, nil
		}
		return nil, fmt.Errorf("line %d: not a mapping", n.Line)
	}
	var out []member
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		if !strings.HasPrefix(key, forEach) {
			out = append(out, member{s.loopNames(key), value, s})
			continue
		}
		if len(value.Content) != 3 {
			return nil, fmt.Errorf("line %d: a loop needs a name, a list and a body", value.Line)
		}
		items, err := s.list(value.Content[1])
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			more, err := s.with(value.Content[0].Value, item).expand(value.Content[2])
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
	}
	return out, nil
}

func (s *scope) with(name, value string) *scope {
	inner := &scope{names: map[string]string{}, loops: append(slices.Clone(s.loops), name), conditions: s.conditions, mappings: s.mappings}
	for k, v := range s.names {
		inner.names[k] = v
	}
	inner.names[name] = value
	return inner
}

// loopNames puts the loop variables into a text.
func (s *scope) loopNames(text string) string {
	for _, name := range s.loops {
		value := s.names[name]
		text = strings.NewReplacer("${"+name+"}", value, "&{"+name+"}", notAlphanumeric.ReplaceAllString(value, "")).Replace(text)
	}
	return text
}

var notAlphanumeric = regexp.MustCompile("[^0-9A-Za-z]")

// intrinsic gives the name of a function and what it is called with: both
// !Name x and {Fn::Name: x}. "" is for what is none.
func intrinsic(n *yaml.Node) (string, *yaml.Node) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return n.Tag[1:], n
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		key := n.Content[0].Value
		if name, ok := strings.CutPrefix(key, "Fn::"); ok && !strings.HasPrefix(key, forEach) {
			return name, n.Content[1]
		}
		if key == "Ref" || key == "Condition" {
			return key, n.Content[1]
		}
	}
	return "", nil
}

var placeholder = regexp.MustCompile(`\$\{(!?)([^}]+)\}`)

// text gives a value as one text; nil is "". A reference to a resource is its
// ID, to an attribute of one ID.Attribute.
func (s *scope) text(n *yaml.Node) (string, error) {
	if n == nil {
		return "", nil
	}
	name, args := intrinsic(n)
	switch name {
	case "":
		if n.Kind != yaml.ScalarNode {
			return "", fmt.Errorf("line %d: not a text", n.Line)
		}
		return s.loopNames(n.Value), nil
	case "Ref":
		return s.ref(args.Value), nil
	case "GetAtt":
		if args.Kind == yaml.ScalarNode {
			return s.loopNames(args.Value), nil
		}
		parts, err := s.texts(args)
		return strings.Join(parts, "."), err
	case "Sub":
		return s.sub(args)
	case "If":
		chosen, err := s.choose(args)
		if err != nil {
			return "", err
		}
		return s.text(chosen)
	case "Equals", "Not", "And", "Or", "Condition":
		holds, err := s.holds(n)
		return strconv.FormatBool(holds), err
	case "Length":
		items, err := s.list(args)
		return strconv.Itoa(len(items)), err
	case "Join":
		if len(args.Content) != 2 {
			break
		}
		items, err := s.list(args.Content[1])
		return strings.Join(items, args.Content[0].Value), err
	case "Select":
		if len(args.Content) != 2 {
			break
		}
		i, err := s.number(args.Content[0])
		if err != nil {
			return "", err
		}
		items, err := s.list(args.Content[1])
		if err != nil {
			return "", err
		}
		if i >= len(items) {
			return "", fmt.Errorf("line %d: there is no item %d", n.Line, i)
		}
		return items[i], nil
	case "FindInMap":
		keys, err := s.texts(args)
		if err != nil {
			return "", err
		}
		at := s.mappings
		for _, k := range keys {
			at = field(at, k)
		}
		if at == nil {
			return "", fmt.Errorf("line %d: %v is in no mapping", n.Line, keys)
		}
		return s.text(at)
	}
	return "", fmt.Errorf("line %d: this reader does not know %s of that form", n.Line, name)
}

// ref gives the value of a parameter, or the ID of what is none.
func (s *scope) ref(name string) string {
	name = s.loopNames(name)
	if v, ok := s.names[name]; ok {
		return v
	}
	return name
}

func (s *scope) sub(n *yaml.Node) (string, error) {
	text, inner := n, s
	if n.Kind == yaml.SequenceNode && len(n.Content) == 2 {
		text = n.Content[0]
		for i := 0; i+1 < len(n.Content[1].Content); i += 2 {
			v, err := s.text(n.Content[1].Content[i+1])
			if err != nil {
				return "", err
			}
			inner = inner.with(n.Content[1].Content[i].Value, v)
		}
	}
	return placeholder.ReplaceAllStringFunc(text.Value, func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		if m[1] == "!" {
			return "${" + m[2] + "}"
		}
		return inner.ref(m[2])
	}), nil
}

func (s *scope) texts(n *yaml.Node) ([]string, error) {
	var out []string
	for _, c := range n.Content {
		v, err := s.text(c)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// list gives a list, which may be a text with commas.
func (s *scope) list(n *yaml.Node) ([]string, error) {
	switch name, args := intrinsic(n); {
	case name == "Split" && len(args.Content) == 2:
		v, err := s.text(args.Content[1])
		return strings.Split(v, args.Content[0].Value), err
	case name == "If":
		chosen, err := s.choose(args)
		if err != nil {
			return nil, err
		}
		return s.list(chosen)
	case name == "" && n.Kind == yaml.SequenceNode:
		return s.texts(n)
	}
	v, err := s.text(n)
	items := strings.Split(v, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items, err
}

func (s *scope) number(n *yaml.Node) (int, error) {
	v, err := s.text(n)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(v)
}

// choose gives the side of an If that counts.
func (s *scope) choose(args *yaml.Node) (*yaml.Node, error) {
	if len(args.Content) != 3 {
		return nil, fmt.Errorf("line %d: If needs a condition and two values", args.Line)
	}
	holds, err := s.condition(args.Content[0].Value)
	if holds {
		return args.Content[1], err
	}
	return args.Content[2], err
}

func (s *scope) condition(name string) (bool, error) {
	n, ok := s.conditions[name]
	if !ok {
		return false, fmt.Errorf("there is no condition %s", name)
	}
	return s.holds(&n)
}

func (s *scope) holds(n *yaml.Node) (bool, error) {
	name, args := intrinsic(n)
	if name == "Condition" {
		return s.condition(args.Value)
	}
	if name == "Equals" {
		sides, err := s.texts(args)
		if err != nil {
			return false, err
		}
		return len(sides) == 2 && sides[0] == sides[1], nil
	}
	if name == "" || args == nil {
		return false, fmt.Errorf("line %d: not a condition", n.Line)
	}
	all, one := true, false
	for _, c := range args.Content {
		h, err := s.holds(c)
		if err != nil {
			return false, err
		}
		all, one = all && h, one || h
	}
	switch name {
	case "And":
		return all, nil
	case "Or":
		return one, nil
	case "Not":
		return !one, nil
	}
	return false, fmt.Errorf("line %d: this reader does not know the condition %s", n.Line, name)
}
