package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/yaml"
)

// modules have the schemas. They are those of the programs that read the objects.
var modules = []struct{ path, version, sum string }{
	{"k8s.io/kubernetes", "v1.37.2", "h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE="},
	{"sigs.k8s.io/gateway-api", "v1.6.3", "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc="},
	{"github.com/envoyproxy/gateway", "v1.9.1", "h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY="},
	{"github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps="},
	{"github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="},
}

// specifications are the files of Kubernetes' own kinds, definitions those of the others.
var (
	specifications = []string{
		"k8s.io/kubernetes/api/openapi-spec/v3/api__v1_openapi.json",
		"k8s.io/kubernetes/api/openapi-spec/v3/apis__apps__v1_openapi.json",
		"k8s.io/kubernetes/api/openapi-spec/v3/apis__policy__v1_openapi.json",
		"k8s.io/kubernetes/api/openapi-spec/v3/apis__networking.k8s.io__v1_openapi.json",
	}
	definitions = []string{
		"sigs.k8s.io/gateway-api/config/crd/standard/*.yaml",
		"github.com/envoyproxy/gateway/charts/gateway-helm/charts/crds/crds/generated/*.yaml",
		"github.com/kedacore/keda/v2/config/crd/bases/*.yaml",
		"github.com/prometheus-operator/prometheus-operator/example/prometheus-operator-crd/*.yaml",
	}
)

// schemas has the JSON Schema of every kind, and a validator that reads them from a
// folder.
type schemas struct {
	dir       string
	kinds     map[string]map[string]any // by apiVersion and kind
	validator validator.Validator
}

func newSchemas() (*schemas, error) {
	folders, err := download()
	if err != nil {
		return nil, err
	}
	s := &schemas{kinds: map[string]map[string]any{}}
	for _, name := range specifications {
		if err := s.addSpecification(inModule(folders, name)); err != nil {
			return nil, err
		}
	}
	for _, pattern := range definitions {
		files, err := filepath.Glob(inModule(folders, pattern))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no files %s: %w", pattern, err)
		}
		for _, file := range files {
			if err := s.addDefinitions(file); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	if s.dir, err = os.MkdirTemp("", "schemas-"); err != nil {
		return nil, err
	}
	s.validator, err = validator.New([]string{s.dir + "/{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"}, validator.Opts{Strict: true})
	return s, err
}

func (s *schemas) close() { _ = os.RemoveAll(s.dir) }

// download returns the folders of the modules, by path. Go's checksum database and the
// sums above say whether they are right.
func download() (map[string]string, error) {
	folders := map[string]string{}
	args := []string{"mod", "download", "-json"}
	for _, m := range modules {
		args = append(args, m.path+"@"+m.version)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = os.TempDir() // outside of this module, which does not need them
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir, Sum, Error string }
		if failed := d.Decode(&m); failed != nil {
			if !errors.Is(failed, io.EOF) {
				err = errors.Join(err, failed)
			}
			break
		}
		if m.Error != "" {
			return nil, fmt.Errorf("%s: %s", m.Path, m.Error)
		}
		for _, want := range modules {
			if m.Path == want.path && m.Sum != want.sum {
				return nil, fmt.Errorf("%s has the sum %s, want %s", m.Path, m.Sum, want.sum)
			}
		}
		folders[m.Path] = m.Dir
	}
	return folders, err
}

// inModule returns the path of a file whose name begins with that of its module.
func inModule(folders map[string]string, name string) string {
	for path, dir := range folders {
		if rest, ok := strings.CutPrefix(name, path+"/"); ok {
			return filepath.Join(dir, rest)
		}
	}
	return name
}

// addSpecification adds the kinds of an OpenAPI document.
func (s *schemas) addSpecification(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	all := document.Components.Schemas
	for name, schema := range all {
		closeObjects(schema)
		kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			kind, _ := k.(map[string]any)
			group, _ := kind["group"].(string)
			s.kinds[strings.TrimPrefix(fmt.Sprintf("%s/%v %v", group, kind["version"], kind["kind"]), "/")] = map[string]any{
				"$ref": "#/components/schemas/" + name, "components": map[string]any{"schemas": all},
			}
		}
	}
	return nil
}

// addDefinitions adds the kinds of a file of CustomResourceDefinitions.
func (s *schemas) addDefinitions(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, part := range bytes.Split(text, []byte("\n---")) {
		var crd struct {
			Kind string
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		if err := yaml.Unmarshal(part, &crd); err != nil {
			return err
		}
		if crd.Kind != "CustomResourceDefinition" {
			continue
		}
		for _, v := range crd.Spec.Versions {
			closeObjects(v.Schema.OpenAPIV3Schema)
			s.kinds[fmt.Sprintf("%s/%s %s", crd.Spec.Group, v.Name, crd.Spec.Names.Kind)] = v.Schema.OpenAPIV3Schema
		}
	}
	return nil
}

// closeObjects makes unknown fields errors, as they are for kubectl.
func closeObjects(schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	if _, open := schema["additionalProperties"]; !open && len(properties) > 0 && schema["x-kubernetes-preserve-unknown-fields"] == nil {
		schema["additionalProperties"] = false
	}
	for _, p := range properties {
		if p, ok := p.(map[string]any); ok {
			closeObjects(p)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if p, ok := schema[key].(map[string]any); ok {
			closeObjects(p)
		}
	}
}

// provide writes the schema of a kind where the validator looks for it.
func (s *schemas) provide(apiVersion, kind string) error {
	schema, known := s.kinds[apiVersion+" "+kind]
	if !known {
		return fmt.Errorf("no schema of %s %s", apiVersion, kind)
	}
	group, version, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		version = group // as the validator calls it
	}
	file := filepath.Join(s.dir, fmt.Sprintf("%s_%s_%s.json", group, version, strings.ToLower(kind)))
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
