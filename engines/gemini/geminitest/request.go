package geminitest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Request is what a caller asked.
type Request struct {
	// Model is the model's name in the path.
	Model string
	// Stream tells streamGenerateContent from generateContent.
	Stream bool
	// Header has the request's headers.
	Header http.Header
	// Body is the request.
	Body Body
}

// Body is the part of a GenerateContentRequest that the fake looks at.
type Body struct {
	Contents          []Content        `json:"contents"`
	SystemInstruction *Content         `json:"systemInstruction"`
	GenerationConfig  map[string]any   `json:"generationConfig"`
	SafetySettings    []map[string]any `json:"safetySettings"`
}

// Content is one turn.
type Content struct {
	Role  string `json:"role,omitempty"`
	Parts []Part `json:"parts,omitempty"`
}

// Part is a piece of a turn.
type Part struct {
	Text       string `json:"text,omitempty"`
	Thought    bool   `json:"thought,omitempty"`
	InlineData *Blob  `json:"inlineData,omitempty"`
}

// Blob is data with its MIME type.
type Blob struct {
	MIMEType string `json:"mimeType"`
	Data     []byte `json:"data"`
}

// LastText is the text of the last turn.
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

// System is the text of the system instruction.
func (r Request) System() string {
	var b strings.Builder
	if r.Body.SystemInstruction != nil {
		for _, p := range r.Body.SystemInstruction.Parts {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// Audio is the sound in the request; nil if there is none.
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

// Speech tells whether spoken output is asked for.
func (r Request) Speech() bool {
	modalities, _ := r.Body.GenerationConfig["responseModalities"].([]any)
	return len(modalities) == 1 && modalities[0] == "AUDIO"
}

// Voice is the voice that is asked for.
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

// Schema is the JSON schema that the answer is held to; nil if there is none.
func (r Request) Schema() map[string]any {
	schema, _ := r.Body.GenerationConfig["responseJsonSchema"].(map[string]any)
	return schema
}

// complaint is what the real API would refuse a request for; empty for nothing.
func (r Request) complaint() string {
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
		return schemaComplaint(schema)
	}
	return ""
}

// schemaComplaint names a keyword that is not documented as supported.
func schemaComplaint(schema map[string]any) string {
	supported := map[string]bool{
		"type": true, "format": true, "title": true, "description": true, "enum": true, "items": true,
		"prefixItems": true, "minItems": true, "maxItems": true, "minimum": true, "maximum": true, "anyOf": true,
		"properties": true, "additionalProperties": true, "required": true, "propertyOrdering": true,
	}
	for key, value := range schema {
		if !supported[key] {
			return "Unsupported schema keyword: " + key
		}
		var below []map[string]any
		switch v := value.(type) {
		case map[string]any:
			below = append(below, v)
			if key == "properties" {
				below = nil
				for _, property := range v {
					if p, ok := property.(map[string]any); ok {
						below = append(below, p)
					}
				}
			}
		}
		for _, s := range below {
			if c := schemaComplaint(s); c != "" {
				return c
			}
		}
	}
	return ""
}
