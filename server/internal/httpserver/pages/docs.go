package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/swaggest/swgui/v5emb"

	"github.com/lexilingo/modelgateway/gen"
)

// Docs serves a page on which to read and try the REST API. The program contains
// all of it: the page needs no other server.
func Docs() http.Handler { return v5emb.New("ModelGateway", "/openapi.json", "/docs/") }

// OpenAPI serves the OpenAPI document of the REST API. answerTypes are media
// types in which paths answer besides JSON: the RPCs do not state them.
func OpenAPI(version string, answerTypes map[string][]string) (http.Handler, error) {
	var doc map[string]any
	if err := json.Unmarshal(gen.OpenAPI, &doc); err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	doc["info"] = map[string]any{
		"title":       "ModelGateway",
		"version":     version,
		"description": "Every model that an application needs, under one memory budget.",
	}
	if tags, ok := doc["tags"].([]any); ok { // the API of workers is not served here
		doc["tags"] = slices.DeleteFunc(tags, func(tag any) bool {
			t, _ := tag.(map[string]any)
			return t["name"] == "Engine"
		})
	}
	for path, types := range answerTypes {
		setAnswerTypes(doc, path, types)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // fails only if the client is gone
	}), nil
}

func setAnswerTypes(doc map[string]any, path string, types []string) {
	paths, _ := doc["paths"].(map[string]any)
	methods, _ := paths[path].(map[string]any)
	if post, ok := methods["post"].(map[string]any); ok {
		post["produces"] = types
	}
}
