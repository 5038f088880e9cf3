package serverless

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const smallTemplate = `
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters:
  Partitions: {Type: CommaDelimitedList, Default: "0, 1"}
  Level: {Type: String, Default: info}
  Secret: {Type: String}
Conditions:
  Loud: !Equals [!Ref Level, debug]
  Quiet: !Not [{Condition: Loud}]
Mappings:
  Sizes: {drain: {MB: 1024}}
Globals:
  Function:
    Timeout: 10
    MemorySize: 512
    Environment:
      Variables:
        LOG_LEVEL: !Ref Level
        PARTITIONS: {"Fn::Length": !Ref Partitions}
        PREFIX: !Sub "https://sqs.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}/${AWS::StackName}-trace-"
        SECRET: !Ref Secret
Resources:
  Api: {Type: AWS::Serverless::HttpApi, Properties: {StageName: $default}}
  Query:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Get: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: "/v1/traces/{id+}", Method: get}}
        List: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /v1/traces, Method: GET}}
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 5
      Events:
        Rest: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
      Environment: {Variables: {LOG_LEVEL: !If [Quiet, low, !Join ["-", [very, loud]]]}}
  Drain:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 60
      MemorySize: !FindInMap [Sizes, drain, MB]
  Never:
    Type: AWS::SQS::Queue
    Condition: Loud
  Fn::ForEach::Queues:
    - P
    - !Ref Partitions
    - Dlq${P}: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1209600}}
      Queue${P}:
        Type: AWS::SQS::Queue
        Properties:
          QueueName: !Sub "${AWS::StackName}-trace-${P}"
          VisibilityTimeout: 361
          RedrivePolicy: {deadLetterTargetArn: !GetAtt [!Sub "Dlq${P}", Arn], maxReceiveCount: 5}
      Mapping${P}:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {FunctionName: !Ref Drain, EventSourceArn: !GetAtt [!Sub "Queue${P}", Arn], BatchSize: 1000,
          MaximumBatchingWindowInSeconds: 1, FunctionResponseTypes: [ReportBatchItemFailures]}
`

func TestTemplate(t *testing.T) {
	t.Parallel()
	got, err := parseTemplate([]byte(smallTemplate), "pulse", map[string]string{"Secret": "x"})
	if err != nil {
		t.Fatal(err)
	}
	env := func(level string) map[string]string {
		return map[string]string{"LOG_LEVEL": level, "PARTITIONS": "2", "PREFIX": "https://sqs.us-east-1.amazonaws.com/000000000000/pulse-trace-", "SECRET": "x"}
	}
	queue := func(id, name, dead string) TemplateQueue {
		return TemplateQueue{ID: id, Name: name, Attributes: map[string]string{"VisibilityTimeout": "361"}, DeadLetter: dead, MaxReceive: 5}
	}
	dead := func(id string) TemplateQueue {
		return TemplateQueue{ID: id, Name: id, Attributes: map[string]string{"MessageRetentionPeriod": "1209600"}}
	}
	mapping := func(id, queue string) TemplateMapping {
		return TemplateMapping{ID: id, Function: "Drain", Queue: queue, BatchSize: 1000, Window: time.Second, PartialFails: true}
	}
	want := &Template{
		Functions: []TemplateFunction{
			{ID: "Drain", Timeout: time.Minute, MemoryMB: 1024, Env: env("info")},
			{ID: "Query", Timeout: 10 * time.Second, MemoryMB: 512, Env: env("info")},
			{ID: "Web", Timeout: 5 * time.Second, MemoryMB: 512, Env: env("low")},
		},
		Routes: []Route{
			{Method: "GET", Path: "/v1/traces", Function: "Query"},
			{Method: "GET", Path: "/v1/traces/{id+}", Function: "Query"},
			{Method: "ANY", Function: "Web"},
		},
		Queues: map[string]TemplateQueue{
			"Queue0": queue("Queue0", "pulse-trace-0", "Dlq0"), "Dlq0": dead("Dlq0"),
			"Queue1": queue("Queue1", "pulse-trace-1", "Dlq1"), "Dlq1": dead("Dlq1"),
		},
		Mappings: []TemplateMapping{mapping("Mapping0", "Queue0"), mapping("Mapping1", "Queue1")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := parseTemplate([]byte(smallTemplate), "pulse", map[string]string{"Unknown": "x"}); err == nil {
		t.Error("an unknown parameter is taken")
	}
	loud, err := parseTemplate([]byte(smallTemplate), "pulse", map[string]string{"Level": "debug", "Partitions": "0"})
	if err != nil {
		t.Fatal(err)
	}
	if got := loud.Functions[2].Env["LOG_LEVEL"]; got != "very-loud" {
		t.Errorf("level %q", got)
	}
	if _, made := loud.Queues["Never"]; !made || len(loud.Queues) != 3 {
		t.Errorf("queues: %v", loud.Queues)
	}
}
