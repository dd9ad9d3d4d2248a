package jsongrammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"
)

// kind is a type of JSON values.
type kind int

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

// value is a JSON value. It keeps the order of an object's members.
type value struct {
	kind    kind
	is      bool   // of a boolean
	text    string // of a string, or a number's digits
	items   []*value
	names   []string // of an object's members, in order
	members map[string]*value

	canon string // see canonical; "" until it is asked for

	id     int // counts the values of a document
	parent *value
	name   string // in its parent
}

// get returns a member of an object, or nil.
func (v *value) get(name string) *value { return v.members[name] }

// pointer returns the JSON pointer of a value, as a fragment.
func (v *value) pointer() string {
	if v.parent == nil {
		return "#"
	}
	name := strings.NewReplacer("~", "~0", "/", "~1").Replace(v.name)
	return v.parent.pointer() + "/" + name
}

// number returns the value of a number. Its size is bounded: see checkNumber.
func (v *value) number() *big.Rat {
	r, _ := new(big.Rat).SetString(v.text)
	return r
}

// reader builds values.
type reader struct {
	decoder *json.Decoder
	count   *int
}

// readJSON reads a document. count counts its values.
func readJSON(document string, count *int) *value {
	if !utf8.ValidString(document) {
		refuse("it is not UTF-8")
	}
	r := reader{decoder: json.NewDecoder(strings.NewReader(document)), count: count}
	r.decoder.UseNumber()
	v := r.value(r.token(), nil, "", 0)
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		refuse("there is text after its end")
	}
	return v
}

func (r *reader) token() json.Token {
	t, err := r.decoder.Token()
	if errors.Is(err, io.EOF) {
		refuse("it is not complete JSON")
	}
	if err != nil {
		refuse("it is not JSON: %v", err)
	}
	return t
}

func (r *reader) value(t json.Token, parent *value, name string, depth int) *value {
	if *r.count++; *r.count > maxValues {
		refuse("it has more than %d values: send a smaller schema", maxValues)
	}
	if depth > maxDepth {
		refuse("it is nested more than %d levels deep: send a flatter schema", maxDepth)
	}
	v := &value{id: *r.count, parent: parent, name: name}
	switch t := t.(type) {
	case bool:
		v.kind, v.is = boolean, t
	case json.Number:
		v.kind, v.text = number, t.String()
		checkNumber(v)
	case string:
		v.kind, v.text = text, t
	case json.Delim:
		if t == '[' {
			r.list(v, depth)
		} else {
			r.object(v, depth)
		}
	}
	return v
}

func (r *reader) list(v *value, depth int) {
	v.kind = list
	for r.decoder.More() {
		v.items = append(v.items, r.value(r.token(), v, itoa(len(v.items)), depth+1))
	}
	r.token()
}

func (r *reader) object(v *value, depth int) {
	v.kind, v.members = object, map[string]*value{}
	for r.decoder.More() {
		name, _ := r.token().(string)
		member := r.value(r.token(), v, name, depth+1)
		if v.members[name] != nil {
			refuse("it has the name %q twice, at %s: leave one out", shorten(name), member.pointer())
		}
		v.members[name] = member
		v.names = append(v.names, name)
	}
	r.token()
}

// checkNumber refuses numbers that would take long to compute with.
func checkNumber(v *value) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(v.text), "e")
	if len(mantissa) > 40 || len(strings.TrimLeft(exponent, "+-0")) > 3 {
		refuse("the number at %s is too long: use at most 40 digits, and exponents of at most 3", v.pointer())
	}
}

// encode returns a value as JSON without space.
func (v *value) encode() string {
	switch v.kind {
	case null:
		return "null"
	case boolean:
		if v.is {
			return "true"
		}
		return "false"
	case number:
		return v.text
	case text:
		return encodeString(v.text)
	case list:
		parts := make([]string, len(v.items))
		for i, item := range v.items {
			parts[i] = item.encode()
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		parts := make([]string, len(v.names))
		for i, name := range v.names {
			parts[i] = encodeString(name) + ":" + v.members[name].encode()
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
}

// canonical returns a text that is the same for equal values.
func (v *value) canonical() string {
	if v.canon == "" {
		v.canon = v.makeCanonical()
	}
	return v.canon
}

func (v *value) makeCanonical() string {
	switch v.kind {
	case number:
		return v.number().RatString()
	case list:
		parts := make([]string, len(v.items))
		for i, item := range v.items {
			parts[i] = item.canonical()
		}
		return "[" + strings.Join(parts, ",") + "]"
	case object:
		parts := make([]string, len(v.names))
		for i, name := range sorted(v.names) {
			parts[i] = encodeString(name) + ":" + v.members[name].canonical()
		}
		return "{" + strings.Join(parts, ",") + "}"
	default:
		return v.encode()
	}
}

func encodeString(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // strings cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}
