package trace

import (
	"encoding/json"
	"time"
)

// Message is one turn of a conversation in the form that every sender's own is
// brought to.
type Message struct {
	Role         string `json:"role"` // system, user, assistant, tool, or what the sender said
	Name         string `json:"name,omitempty"`
	Parts        []Part `json:"parts"`
	FinishReason string `json:"finishReason,omitempty"` // of an answer
	// Time is when the sender told of the message, where it told of each by
	// itself. Such messages add up, in the order of their times; messages
	// without one are the whole conversation as somebody knew it.
	Time *time.Time `json:"time,omitempty"`
}

// PartType says what a part holds.
type PartType string

// The types of parts. A sender's own type that is none of these is kept as it
// is, with its content in Part.Data.
const (
	PartText       PartType = "text"
	PartReasoning  PartType = "reasoning"
	PartToolCall   PartType = "tool_call"
	PartToolResult PartType = "tool_result"
	PartImage      PartType = "image"
	PartAudio      PartType = "audio"
	PartFile       PartType = "file"
	PartDocument   PartType = "document" // that a retrieval found: Text, ID, and the rest in Data
)

// Part is a piece of a message; which fields are set follows from Type.
type Part struct {
	Type      PartType        `json:"type"`
	Text      string          `json:"text,omitempty"`      // text, reasoning
	ID        string          `json:"id,omitempty"`        // of a tool call, also in its result
	Name      string          `json:"name,omitempty"`      // of the tool
	Arguments json.RawMessage `json:"arguments,omitempty"` // of a tool call: JSON
	Result    json.RawMessage `json:"result,omitempty"`    // of a tool: JSON
	URI       string          `json:"uri,omitempty"`       // of an image, audio or file; a data: URI holds the content itself
	MIMEType  string          `json:"mimeType,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"` // whatever else the sender said of it
}
