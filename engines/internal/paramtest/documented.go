// Package paramtest tests that the parameters of an engine are documented and used, so
// that none is forgotten when one is added.
package paramtest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Documented compares defaults, a struct with json tags that holds the defaults of an
// engine's parameters, with the table in a Markdown file whose first columns are
// "parameter" and "default". Every field must have a row and every row a
// field. A row may describe several parameters, separated by commas. The number or
// word in the table must be the default; the zero value may also be described in
// words, because it often stands for a default that depends on the model.
func Documented(t *testing.T, file string, defaults any) {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // a file of the repository
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(file)
	documented := table(string(text))
	if len(documented) == 0 {
		t.Fatalf("%s has no table with the columns parameter and default", name)
	}
	v := reflect.ValueOf(defaults)
	for i := range v.NumField() {
		parameter, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		said, ok := documented[parameter]
		delete(documented, parameter)
		field := v.Field(i)
		switch {
		case !ok:
			t.Errorf("%s does not describe the parameter %q", name, parameter)
		case field.IsZero() && !isLiteral(said):
		case said != literal(field):
			t.Errorf("%s says that the default of %q is %q; it is %q", name, parameter, said, literal(field))
		}
	}
	for parameter := range documented {
		t.Errorf("%s describes the parameter %q, which does not exist", name, parameter)
	}
}

var (
	header     = regexp.MustCompile(`^\| parameter \| default \|`)
	cells      = regexp.MustCompile(`^\| ([^|]*) \| ([^|]*)\|`)
	parameters = regexp.MustCompile("`([a-z][a-z0-9_]*)`")
	remark     = regexp.MustCompile(` \([^)]*\)$`)
)

// table returns what the table of parameters says about their defaults.
func table(text string) map[string]string {
	documented := map[string]string{}
	inTable := false
	for line := range strings.Lines(text) {
		if header.MatchString(line) {
			inTable = true
			continue
		}
		row := cells.FindStringSubmatch(line)
		inTable = inTable && strings.HasPrefix(line, "|")
		if !inTable || row == nil {
			continue
		}
		names := parameters.FindAllStringSubmatch(row[1], -1)
		values := strings.Split(strings.TrimSpace(row[2]), ", ")
		for i, name := range names {
			value := row[2] // words about all of them
			if len(values) == len(names) {
				value = values[i]
			}
			documented[name[1]] = strings.Trim(remark.ReplaceAllString(strings.TrimSpace(value), ""), "`")
		}
	}
	return documented
}

// isLiteral reports whether a default is a number or a truth value, not words.
func isLiteral(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || text == "true" || text == "false"
}

// literal returns a value as the documentation spells it.
func literal(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.String:
		return v.String()
	default:
		return ""
	}
}
