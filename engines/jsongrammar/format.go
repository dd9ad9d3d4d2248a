package jsongrammar

import "slices"

// The parts of formats. Each is a part of what its specification allows: for example,
// no leap days and no leap seconds.
const (
	date    = `\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))`
	clock   = `(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)`
	octet   = `(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
	label   = `[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?`
	host    = label + `(?:\.` + label + `){0,3}`
	domain  = label + `(?:\.` + label + `){0,2}\.[a-zA-Z]{2,12}`
	path    = `(?:/[\w.~-]*)*(?:\?[\w.~=&-]*)?(?:#[\w.~-]*)?`
	address = `https?://` + domain + path
)

// formats are the formats that a grammar can hold, as regular expressions of
// ECMAScript.
var formats = map[string]string{
	"date":          date,
	"time":          clock,
	"date-time":     date + `T` + clock,
	"duration":      `P(?:\d{1,4}W|\d{1,4}Y(?:\d{1,2}M(?:\d{1,2}D)?)?|\d{1,3}M(?:\d{1,2}D)?|\d{1,4}D(?:T\d{1,2}H)?|T(?:\d{1,4}H(?:\d{1,2}M(?:\d{1,2}S)?)?|\d{1,4}M(?:\d{1,2}S)?|\d{1,6}S))`,
	"email":         `\w{1,20}(?:[.+-]\w{1,20}){0,2}@` + domain,
	"hostname":      host,
	"ipv4":          octet + `(?:\.` + octet + `){3}`,
	"ipv6":          `(?:[\da-fA-F]{1,4}:){7}[\da-fA-F]{1,4}`,
	"uri":           address,
	"uri-reference": `(?:` + address + `|` + path + `)`,
	"uuid":          `[\da-fA-F]{8}-(?:[\da-fA-F]{4}-){3}[\da-fA-F]{12}`,
	"json-pointer":  `(?:/[\w.-]*)*`,
}

// otherFormats are the formats of JSON Schema that a grammar cannot hold.
var otherFormats = []string{
	"idn-email", "idn-hostname", "iri", "iri-reference", "uri-template", "relative-json-pointer", "regex",
}

// checkFormat reports whether a format is enforced. Those that JSON Schema does not
// define, such as "int32", only describe. It refuses those that cannot be enforced.
func checkFormat(schema, v *value) bool {
	if slices.Contains(otherFormats, v.text) {
		refuseKeyword(schema, "format", "with the value %q cannot be enforced: leave it out, or use a pattern", v.text)
	}
	_, ok := formats[v.text]
	return ok
}

func (c *compiler) formatAutomaton(v *value) *automaton {
	translated, _ := translate("^(?:" + formats[v.text] + ")$")
	m, _ := c.compilePattern(translated)
	return m
}
