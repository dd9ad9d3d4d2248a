package httpserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

func TestAdminOverREST(t *testing.T) {
	r := start(t, servertest.FaultModels)
	resp, body := r.Post(t, "/v1/models/qwen:load", `{"pin":true}`)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	var last struct {
		Result struct {
			Model struct{ State string }
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || resp.StatusCode != http.StatusOK || last.Result.Model.State != "MODEL_STATE_READY" {
		t.Errorf("load: %d %s", resp.StatusCode, body)
	}
	if resp, body = r.Get(t, "/v1/models/qwen:plan"); !strings.Contains(body, "LOAD_OUTCOME_ALREADY_LOADED") {
		t.Errorf("plan: %d %s", resp.StatusCode, body)
	}
	if resp, body = r.Post(t, "/v1/models/qwen:unload", `{}`); resp.StatusCode != http.StatusOK || !strings.Contains(body, "MODEL_STATE_UNLOADED") {
		t.Errorf("unload: %d %s", resp.StatusCode, body)
	}
	if resp, body = r.Get(t, "/v1/models"); strings.Count(body, `"name"`) != 4 {
		t.Errorf("list: %d %s", resp.StatusCode, body)
	}
	if resp, body = r.Get(t, "/v1/status"); !strings.Contains(body, `"memory_budget_bytes":"2097152000"`) {
		t.Errorf("status: %d %s", resp.StatusCode, body)
	}
	if resp, body = r.Get(t, "/v1/models/nobody"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("unknown: %d %s", resp.StatusCode, body)
	}
}
