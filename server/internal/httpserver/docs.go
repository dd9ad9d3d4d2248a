package httpserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/swaggest/swgui/v5emb"

	"github.com/lexilingo/modelgateway/gen"
)

// docsHandler is a page to read and try the REST API. All of it is in the
// program: it needs no other server.
func docsHandler() http.Handler {
	return v5emb.New("ModelGateway", "/openapi.json", "/docs/")
}

// openAPIHandler serves the OpenAPI document, under our name and version.
func openAPIHandler(version string) (http.Handler, error) {
	var doc map[string]any
	if err := json.Unmarshal(gen.OpenAPI, &doc); err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	doc["info"] = map[string]any{
		"title":       "ModelGateway",
		"version":     version,
		"description": "Every model that an application needs, under one memory budget.",
	}
	if tags, ok := doc["tags"].([]any); ok { // the worker contract is not served
		doc["tags"] = slices.DeleteFunc(tags, func(tag any) bool {
			t, _ := tag.(map[string]any)
			return t["name"] == "Engine"
		})
	}
	produce(doc, transcribePath, mediaJSON, mediaText)
	produce(doc, synthesizePath, mediaWAV, mediaPCM, mediaLines, eventStream)
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the caller has left if this fails
	}), nil
}

// produce lists what a path answers beside JSON, which is all that its RPC tells.
func produce(doc map[string]any, path string, media ...string) {
	paths, _ := doc["paths"].(map[string]any)
	methods, _ := paths[path].(map[string]any)
	if post, ok := methods["post"].(map[string]any); ok {
		post["produces"] = media
	}
}
