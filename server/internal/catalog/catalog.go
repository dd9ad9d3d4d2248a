// Package catalog reads the list of published models that can be pulled. It
// touches neither disk nor network: what it returns is checked, so that others
// may build addresses and file names of it.
package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/lexilingo/modelgateway/internal/suggest"
)

// Catalog is a checked list of models.
type Catalog struct {
	// Models are in the order of the list.
	Models []Model `yaml:"models"`
}

// Model is something that can be pulled: files of one repository.
type Model struct {
	// Name is what people call it on the command line.
	Name string `yaml:"name"`
	// Aliases are further names.
	Aliases []string `yaml:"aliases"`
	// Task says what it is for, in words.
	Task string `yaml:"task"`
	// Engine runs it: llama, whisper, piper or hubert.
	Engine string `yaml:"engine"`
	// Repo is its repository on the hub, "owner/name".
	Repo string `yaml:"repo"`
	// Revision is a commit, a tag or a branch.
	Revision string `yaml:"revision"`
	// Files are what is downloaded.
	Files []File `yaml:"files"`
	// License is what its publisher asks.
	License License `yaml:"license"`
	// Languages are BCP 47 tags, and "multilingual".
	Languages []string `yaml:"languages"`
	// MemoryMB is about what it takes when loaded, in MiB.
	MemoryMB int64 `yaml:"memory_mb"`
	// Configure says how a server is told of it.
	Configure Configure `yaml:"configure"`
	// Note is what else is worth knowing.
	Note string `yaml:"note"`
}

// File is a file of a repository and its place in the models directory.
type File struct {
	// Path in the repository, with slashes.
	Path string `yaml:"path"`
	// Local is the path in the models directory, with slashes; never absolute,
	// never out of it.
	Local string `yaml:"local"`
	// SizeMB is about its size, in millions of bytes.
	SizeMB float64 `yaml:"size_mb"`
	// SHA256 is its checksum in lower-case hexadecimal; empty: the hub's counts.
	SHA256 string `yaml:"sha256"`
}

// License names a licence and where it is stated.
type License struct {
	// Name is an SPDX identifier, or words.
	Name string `yaml:"name"`
	// URL is an https address.
	URL string `yaml:"url"`
}

// Configure says how a server is told of a model.
type Configure struct {
	// Model is the entry of the built-in configuration that it is for.
	Model string `yaml:"model"`
	// Path is the entry's path in the models directory.
	Path string `yaml:"path"`
	// Env are environment variables that do it.
	Env map[string]string `yaml:"env"`
	// Parameters are settings of the engine.
	Parameters map[string]any `yaml:"parameters"`
}

// SizeBytes is about the size of all files together.
func (m Model) SizeBytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.SizeBytes()
	}
	return sum
}

// SizeBytes is about the size of the file.
func (f File) SizeBytes() int64 { return int64(f.SizeMB * 1e6) }

// maxBytes bounds the text of a catalogue.
const maxBytes = 1 << 20

// Parse reads a catalogue. name is for messages. Unknown keys, YAML aliases and
// anything that could lead to another host or folder are errors; all are named.
func Parse(name string, text []byte) (*Catalog, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxBytes)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: must be one YAML document", name)
	}
	if found := ast.Filter(ast.AliasType, file.Docs[0].Body); len(found) > 0 {
		return nil, fmt.Errorf("%s:%d: YAML aliases are not supported", name, found[0].GetToken().Position.Line)
	}
	var c Catalog
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &c, nil
}

// NotFoundError is a name that the catalogue does not have.
type NotFoundError struct {
	// Name is what was asked for.
	Name string
	// Nearest are known names that are like it, the nearest first.
	Nearest []string
}

// Error names the nearest ones.
func (e *NotFoundError) Error() string {
	if len(e.Nearest) == 0 {
		return fmt.Sprintf("no model %q can be pulled", e.Name)
	}
	return fmt.Sprintf("no model %q can be pulled; did you mean %s?", e.Name, strings.Join(e.Nearest, " or "))
}

// Find returns the model of a name or an alias, whatever its case. Its error is a
// *NotFoundError.
func (c *Catalog) Find(name string) (Model, error) {
	for _, m := range c.Models {
		for _, known := range m.names() {
			if strings.EqualFold(known, name) {
				return m, nil
			}
		}
	}
	return Model{}, &NotFoundError{Name: name, Nearest: c.nearest(name)}
}

func (m Model) names() []string { return append([]string{m.Name}, m.Aliases...) }

// nearest returns up to three known names that contain the word, or else the one
// that differs from it by the fewest letters.
func (c *Catalog) nearest(word string) []string {
	const most = 3
	var found, all []string
	for _, m := range c.Models {
		all = append(all, m.names()...)
		for _, known := range m.names() {
			if len(word) > 2 && strings.Contains(strings.ToLower(known), strings.ToLower(word)) && len(found) < most {
				found = append(found, known)
				break
			}
		}
	}
	if near := suggest.Nearest(word, all); len(found) == 0 && near != "" {
		found = append(found, near)
	}
	return found
}

func (c *Catalog) check() error {
	var errs []error
	if len(c.Models) == 0 {
		errs = append(errs, errors.New("it has no models"))
	}
	names, locals := map[string]bool{}, map[string]string{}
	for i, m := range c.Models {
		label := m.Name
		if !namePattern.MatchString(m.Name) {
			label = fmt.Sprintf("models[%d]", i)
		}
		if err := m.check(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", label, err))
		}
		for _, n := range m.names() {
			if key := strings.ToLower(n); names[key] {
				errs = append(errs, fmt.Errorf("%s: the name %q is there twice", label, n))
			} else {
				names[key] = true
			}
		}
		for _, f := range m.Files {
			key, source := strings.ToLower(f.Local), m.Repo+"@"+m.Revision+":"+f.Path
			if other, taken := locals[key]; taken && other != source {
				errs = append(errs, fmt.Errorf("%s: %s and %s are both to be %q", label, other, source, f.Local))
			}
			locals[key] = source
		}
	}
	return errors.Join(errs...)
}
