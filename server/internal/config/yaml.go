package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/lexilingo/modelgateway/internal/suggest"
)

// decode decodes YAML into cfg. Values of cfg that the text does not set stay. name is
// for messages. It returns the names of the models in order, or nil if the text has
// no models.
func decode(name string, text []byte, cfg *Config) (models []string, err error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("%s: the file is UTF-16: save it as UTF-8", name)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // a byte-order mark, which Windows programs write
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	if len(file.Docs) > 1 {
		return nil, fmt.Errorf("%s: the file has more than one YAML document: keep one", name)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil
	}
	body := file.Docs[0].Body
	if err := errors.Join(aliases(name, body)...); err != nil {
		return nil, err
	}
	if err := errors.Join(unknownKeys(name, body, reflect.TypeFor[Config]())...); err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalWithOptions(text, cfg, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	for _, entry := range entries(body) {
		if keyOf(entry) == "models" {
			models = []string{}
			for _, m := range entries(entry.Value) {
				models = append(models, keyOf(m))
			}
		}
	}
	return models, nil
}

// aliases returns an error for every YAML alias. Keys behind an alias would not be
// checked, and a few aliases can expand to gigabytes.
func aliases(name string, body ast.Node) []error {
	var errs []error
	for _, n := range ast.Filter(ast.AliasType, body) {
		pos := n.GetToken().Position
		errs = append(errs, fmt.Errorf("%s:%d:%d: YAML aliases such as %s are not supported: write the value out", name, pos.Line, pos.Column, n))
	}
	return errs
}

// unknownKeys returns an error for every key of a document that the type does not
// have. The strict mode of goccy/go-yaml stops at the first and suggests no other.
func unknownKeys(name string, node ast.Node, t reflect.Type) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var errs []error
	if list, ok := node.(*ast.SequenceNode); ok && t.Kind() == reflect.Slice {
		for _, value := range list.Values {
			errs = append(errs, unknownKeys(name, value, t.Elem())...)
		}
	}
	for _, entry := range entries(node) {
		switch t.Kind() {
		case reflect.Struct:
			fields := yamlFields(t)
			field, ok := fields[keyOf(entry)]
			if !ok {
				errs = append(errs, unknownKey(name, entry, fields))
				continue
			}
			errs = append(errs, unknownKeys(name, entry.Value, field)...)
		case reflect.Map:
			errs = append(errs, unknownKeys(name, entry.Value, t.Elem())...)
		}
	}
	return errs
}

func unknownKey(name string, entry *ast.MappingValueNode, fields map[string]reflect.Type) error {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	pos := entry.Key.GetToken().Position
	return fmt.Errorf("%s:%d:%d: unknown key %q%s", name, pos.Line, pos.Column, keyOf(entry), suggest.DidYouMean(keyOf(entry), known))
}

func yamlFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			maps.Copy(fields, yamlFields(f.Type))
		}
		if key != "" && key != "-" {
			fields[key] = f.Type
		}
	}
	return fields
}

// entries returns the entries of a mapping. It returns nil for other nodes.
func entries(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	case *ast.AnchorNode:
		return entries(n.Value)
	case *ast.TagNode:
		return entries(n.Value)
	}
	return nil
}

func keyOf(entry *ast.MappingValueNode) string {
	if s, ok := entry.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return entry.Key.GetToken().Value
}
