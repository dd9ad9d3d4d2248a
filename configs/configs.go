// Package configs embeds the built-in configuration and the published schema.
package configs

import _ "embed"

// Default is the built-in configuration.
//
//go:embed default.yaml
var Default []byte

// Schema is the JSON schema of configuration files.
//
//go:embed config.schema.json
var Schema []byte
