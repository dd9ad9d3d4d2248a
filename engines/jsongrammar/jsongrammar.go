// Package jsongrammar converts JSON Schemas to grammars in llama.cpp's format, GBNF,
// so that a model can only write JSON that is valid for a schema.
//
// Each text that a grammar allows is valid for its schema; the reverse does not hold.
// Names come in the order of the schema, the only space is one after a colon or a
// comma, and properties that the schema does not name appear only if it has
// additionalProperties, or names no properties at all. A keyword that a grammar cannot
// hold is refused by its name. Keywords that JSON Schema does not define, and those
// that only describe, are ignored.
//
// A schema comes from a caller. The number of its values and the sizes of everything
// that is made from it are bounded, so a conversion takes milliseconds.
package jsongrammar

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// The bounds of all schemas of one grammar together.
const (
	maxValues = 5_000
	maxDepth  = 64
	// maxRules is the number of rules, and maxText the size in bytes of the grammar.
	maxRules = 6_000
	maxText  = 256 << 10
	// maxWork is the number of steps of merging schemas and of building automata.
	maxWork = 200_000
)

// Schema returns a grammar for the values of a schema, which is JSON text. The error
// is INVALID_REQUEST. where is the field of the request that has the schema.
func Schema(schema, where string) (string, error) {
	b := NewBuilder()
	root, err := b.Schema(schema, where)
	if err != nil {
		return "", err
	}
	return b.Grammar(root, where)
}

// refusal is the panic value of functions that refuse a schema. Builder's methods
// recover it.
type refusal struct {
	message          string
	keyword, pointer string
}

func refuse(format string, args ...any) {
	panic(refusal{message: fmt.Sprintf(format, args...)})
}

// refuseKeyword refuses a keyword of a schema. The hint ends the sentence.
func refuseKeyword(at *value, keyword, format string, args ...any) {
	pointer := at.pointer()
	if member := at.get(keyword); member != nil {
		pointer = member.pointer()
	}
	panic(refusal{
		message: fmt.Sprintf("the keyword %q at %s %s", keyword, shorten(pointer), fmt.Sprintf(format, args...)),
		keyword: keyword, pointer: pointer,
	})
}

// recoverInto converts a refusal to an error.
func recoverInto(err *error, where string) {
	switch p := recover().(type) {
	case nil:
	case refusal:
		e := errs.New(errs.InvalidRequest, "the JSON Schema in %s cannot be used: %s", where, p.message).With("fields", where)
		if p.keyword != "" {
			e = e.With("keyword", p.keyword).With("pointer", shorten(p.pointer))
		}
		*err = e
	default:
		panic(p)
	}
}

// shorten shortens a text of the caller for a message.
func shorten(s string) string {
	const longest = 200
	if len(s) <= longest {
		return s
	}
	return string([]rune(s[:longest])) + "…"
}

func itoa(n int) string { return strconv.Itoa(n) }

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }
