package openai_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// A key that may only use models sees those that it may use, and nothing of their state.
func TestKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	key, err := auth.AddKey(file, &auth.Key{Name: "app", Roles: []auth.Role{auth.Infer}, Models: []string{"qwen", "piper"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, "auth: {keys_file: "+file+"}\n"+servertest.FaultModels)
	get := func(path, key string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		return servertest.Do(t, req)
	}
	for _, path := range []string{"/openai/v1/models", "/v1/models"} {
		resp, text := get(path, key)
		got := parse[struct{ Data []struct{ ID string } }](t, text)
		if resp.StatusCode != http.StatusOK || len(got.Data) != 2 || got.Data[0].ID != "qwen" || got.Data[1].ID != "piper" || strings.Contains(text, "memory") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text)
		}
	}
	if resp, text := get("/v1/models/hubert", key); resp.StatusCode != http.StatusNotFound || strings.Contains(text, "memory") {
		t.Errorf("a model that the key does not allow: %d %s", resp.StatusCode, text)
	}
	resp, text := get("/openai/v1/models", "sk-wrong")
	if got := parse[completion](t, text).Error; resp.StatusCode != http.StatusUnauthorized || got == nil || got.Code != "invalid_api_key" || resp.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("a wrong key: %d %s", resp.StatusCode, text)
	}
	if resp, text := r.Post(t, completions, `{`+userSays+`}`, "Authorization", "Bearer "+key); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}
