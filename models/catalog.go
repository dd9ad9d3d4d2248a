package models

import _ "embed"

//go:embed catalog.yaml
var catalogText []byte

// Catalog returns the list of published models, for package catalog to
// read.
func Catalog() []byte { return append([]byte(nil), catalogText...) }
