// Package gen embeds the generated OpenAPI document.
package gen

import _ "embed"

// OpenAPI describes the REST API, in OpenAPI 2.0.
//
//go:embed openapi/modelgateway.swagger.json
var OpenAPI []byte
