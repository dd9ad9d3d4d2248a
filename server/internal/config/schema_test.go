package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lexilingo/modelgateway/configs"
)

const examples = "../../../configs/*.yaml"

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(configs.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestExamplesFitTheSchemaAndLoad(t *testing.T) {
	schema := compiledSchema(t)
	files, err := filepath.Glob(examples)
	if err != nil || len(files) < 2 {
		t.Fatalf("examples %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := Load(Source{File: file, Machine: func() Machine { return Machine{MemoryBytes: 64 << 30, Threads: 2} }}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestSchemaRefusesWhatLoadRefuses(t *testing.T) {
	schema := compiledSchema(t)
	for _, text := range []string{
		"max_memry_mb: 1", "models: {a: {engine: llama, priority: hihg}}", "device: gpu", "drain_timeout: soon",
		"max_memory_mb: 1073741825", "cpu_threads: 65537", "models: {a: {engine: llama, memory_mb: 1073741825}}",
		"models: {a: {engine: llama, threads: 65537}}", "models: {a: {engine: llama, max_concurrency: 65537}}",
		"models: {a: {engine: llama, queue: 1048577}}", "breaker: {failures: -1}", "breaker: {failures: 1048577}", "telemetry: {otlp_endpoint: \"127.0.0.1:4317\"}",
		"limits: {caller: {tokens_per_minute: -1}}", "limits: {caller: {tokens_per_hour: 1}}", "limits: {caller: {request_burst: 1.5}}",
	} {
		if schema.Validate(asJSON(t, []byte(text))) == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

// The schema and the structs have the same keys at every level.
func TestSchemaHasEveryKey(t *testing.T) {
	var schema struct {
		Properties map[string]json.RawMessage
		Defs       map[string]struct{ Properties map[string]json.RawMessage } `json:"$defs"`
	}
	if err := json.Unmarshal(configs.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	same := func(what string, properties map[string]json.RawMessage, v any) {
		got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(yamlFields(reflect.TypeOf(v))))
		if !slices.Equal(got, want) {
			t.Errorf("%s: schema %v, code %v", what, got, want)
		}
	}
	same("top", schema.Properties, Config{})
	same("engine", schema.Defs["engine"].Properties, Engine{})
	same("model", schema.Defs["model"].Properties, Model{})
	same("task", schema.Defs["task"].Properties, Task{})
	same("issuer", schema.Defs["issuer"].Properties, Issuer{})
	same("issuer_caller", schema.Defs["issuer_caller"].Properties, IssuerCaller{})
	same("unix_user", schema.Defs["unix_user"].Properties, UnixUser{})
	for key, v := range map[string]any{"auth": Auth{}, "tls": TLS{}, "log": Log{}, "limits": Limits{}, "breaker": Breaker{}, "cors": CORS{}, "telemetry": Telemetry{}, "gemini": Gemini{}} {
		var section struct{ Properties map[string]json.RawMessage }
		if err := json.Unmarshal(schema.Properties[key], &section); err != nil {
			t.Fatal(err)
		}
		same(key, section.Properties, v)
		if key == "limits" {
			var caller struct{ Properties map[string]json.RawMessage }
			if err := json.Unmarshal(section.Properties["caller"], &caller); err != nil {
				t.Fatal(err)
			}
			same("limits.caller", caller.Properties, Quota{})
		}
	}
}

// The description of tasks names every task, for editors that show it.
func TestSchemaNamesEveryTask(t *testing.T) {
	var schema struct {
		Properties map[string]struct{ Description string }
	}
	if err := json.Unmarshal(configs.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	named := strings.FieldsFunc(schema.Properties["tasks"].Description, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
	for _, name := range taskNames() {
		if !slices.Contains(named, name) {
			t.Errorf("the description of tasks does not name %s", name)
		}
	}
}

// docs/configuration.md names every key and every variable.
func TestGuideNamesEveryKey(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, v := range Variables() {
		names = append(names, v.Name)
	}
	for _, v := range []any{Config{}, Auth{}, Issuer{}, IssuerCaller{}, UnixUser{}, Log{}, Limits{}, Quota{}, Breaker{}, CORS{}, Telemetry{}, Gemini{}, Engine{}, Model{}, Task{}} {
		names = slices.AppendSeq(names, maps.Keys(yamlFields(reflect.TypeOf(v))))
	}
	for _, name := range names {
		if !strings.Contains(string(guide), "`"+name+"`") {
			t.Errorf("docs/configuration.md does not name `%s`", name)
		}
	}
}
