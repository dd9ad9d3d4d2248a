package geminitest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Request is a request to the fake API.
type Request struct {
	// Model is the name of the model in the path.
	Model string
	// Stream is true for streamGenerateContent, false for generateContent.
	Stream bool
	// Header has the request's headers.
	Header http.Header
	// Body is the request.
	Body Body
}

// Body is the part of a GenerateContentRequest that the fake API uses.
type Body struct {
	Contents          []Content        `json:"contents"`
	SystemInstruction *Content         `json:"systemInstruction"`
	GenerationConfig  map[string]any   `json:"generationConfig"`
	SafetySettings    []map[string]any `json:"safetySettings"`
	Tools             []map[string]any `json:"tools"`
	ToolConfig        map[string]any   `json:"toolConfig"`
}

// Content is one message.
type Content struct {
	Role  string `json:"role,omitempty"`
	Parts []Part `json:"parts,omitempty"`
}

// Part is a part of a message.
type Part struct {
	Text             string    `json:"text,omitempty"`
	Thought          bool      `json:"thought,omitempty"`
	InlineData       *Blob     `json:"inlineData,omitempty"`
	FunctionCall     *Function `json:"functionCall,omitempty"`
	FunctionResponse *Function `json:"functionResponse,omitempty"`
	ThoughtSignature []byte    `json:"thoughtSignature,omitempty"`
}

// Function is a call of a function, or what it returned.
type Function struct {
	Name     string         `json:"name"`
	Args     map[string]any `json:"args,omitempty"`
	Response map[string]any `json:"response,omitempty"`
}

// Blob is data with its MIME type.
type Blob struct {
	MIMEType string `json:"mimeType"`
	Data     []byte `json:"data"`
}

// LastText returns the text of the last message.
func (r Request) LastText() string {
	if len(r.Body.Contents) == 0 {
		return ""
	}
	var b strings.Builder
	for _, p := range r.Body.Contents[len(r.Body.Contents)-1].Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// System returns the text of the system instruction.
func (r Request) System() string {
	var b strings.Builder
	if r.Body.SystemInstruction != nil {
		for _, p := range r.Body.SystemInstruction.Parts {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// Audio returns the sound in the request; nil if there is none.
func (r Request) Audio() *Blob {
	for _, c := range r.Body.Contents {
		for _, p := range c.Parts {
			if p.InlineData != nil {
				return p.InlineData
			}
		}
	}
	return nil
}

// Speech reports whether the request asks for speech.
func (r Request) Speech() bool {
	modalities, _ := r.Body.GenerationConfig["responseModalities"].([]any)
	return len(modalities) == 1 && modalities[0] == "AUDIO"
}

// Voice returns the requested voice.
func (r Request) Voice() string {
	var config struct {
		VoiceConfig struct {
			PrebuiltVoiceConfig struct{ VoiceName string }
		}
	}
	text, err := json.Marshal(r.Body.GenerationConfig["speechConfig"])
	if err != nil || json.Unmarshal(text, &config) != nil {
		return ""
	}
	return config.VoiceConfig.PrebuiltVoiceConfig.VoiceName
}

// Schema returns the JSON schema of the answer; nil if there is none.
func (r Request) Schema() map[string]any {
	schema, _ := r.Body.GenerationConfig["responseJsonSchema"].(map[string]any)
	return schema
}

// invalid returns the message with which the real API refuses the request; "" if it
// accepts it.
func (r Request) invalid() string {
	if len(r.Body.Contents) == 0 {
		return "* GenerateContentRequest.contents: contents is not specified"
	}
	for _, c := range r.Body.Contents {
		if c.Role != "user" && c.Role != "model" {
			return "Please use a valid role: user, model."
		}
		if len(c.Parts) == 0 {
			return "* GenerateContentRequest.contents.parts: contents.parts must not be empty."
		}
		for i, p := range c.Parts {
			if p.FunctionCall != nil && i == 0 && len(p.ThoughtSignature) == 0 {
				return "Function call is missing a thought_signature in functionCall parts."
			}
			if p.FunctionResponse != nil && (p.FunctionResponse.Name == "" || p.FunctionResponse.Response == nil) {
				return "* GenerateContentRequest.contents.parts.function_response.name: Name cannot be empty."
			}
		}
	}
	config := r.Body.GenerationConfig
	if r.Speech() {
		for _, option := range []string{"temperature", "topP", "topK"} {
			if _, ok := config[option]; ok && strings.HasPrefix(r.Model, "gemini-3.8") {
				return option + " is not supported for speech."
			}
		}
		if !strings.Contains(r.Model, "tts") {
			return "Multi-modal output is not supported."
		}
	}
	if stops, _ := config["stopSequences"].([]any); len(stops) > 5 {
		return "The number of stop_sequences must be in the range [0, 5]."
	}
	if schema := r.Schema(); schema != nil {
		if config["responseMimeType"] != "application/json" {
			return "responseJsonSchema needs the response_mime_type application/json."
		}
		return invalidSchema(schema)
	}
	return ""
}

// invalidSchema returns a message about a keyword that is not documented as
// supported; "" if there is none.
func invalidSchema(schema map[string]any) string {
	supported := map[string]bool{
		"type": true, "format": true, "title": true, "description": true, "enum": true, "items": true,
		"prefixItems": true, "minItems": true, "maxItems": true, "minimum": true, "maximum": true, "anyOf": true,
		"properties": true, "additionalProperties": true, "required": true, "propertyOrdering": true,
		"$id": true, "$defs": true, "$ref": true, "$anchor": true, "oneOf": true,
	}
	for key, value := range schema {
		if !supported[key] {
			return "Unsupported schema keyword: " + key
		}
		var below []map[string]any
		switch v := value.(type) {
		case map[string]any:
			below = append(below, v)
			if key == "properties" || key == "$defs" {
				below = nil
				for _, property := range v {
					if p, ok := property.(map[string]any); ok {
						below = append(below, p)
					}
				}
			}
		}
		for _, s := range below {
			if message := invalidSchema(s); message != "" {
				return message
			}
		}
	}
	return ""
}
