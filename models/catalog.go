package models

import _ "embed"

//go:embed catalog.yaml
var catalogText []byte

// Catalog returns the text of the catalogue, the list of published models. Package
// catalog parses it.
func Catalog() []byte { return append([]byte(nil), catalogText...) }
