package server

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// TestKeysSeeOnlyTheirModels checks that a key which is limited to some models or tasks
// is shown only those.
func TestKeysSeeOnlyTheirModels(t *testing.T) {
	roles := []auth.Role{auth.Observe, auth.Admin}
	g := startGuarded(t, speechModels, // the tasks of speech are on qwen, those of the other models on them
		&auth.Key{Name: "all", Roles: roles}, &auth.Key{Name: "model", Roles: roles, Models: []string{"piper"}},
		&auth.Key{Name: "task", Roles: roles, Tasks: []string{"chat"}}, &auth.Key{Name: "none", Roles: roles, Tasks: []string{"grammar"}, Models: []string{"piper"}})
	listed, err := g.admin.ListModels(g.as(t, "all"), &gatewayv1.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"all": {}, "model": {"piper"}, "task": {}, "none": {}}
	for _, m := range listed.GetModels() {
		want["all"] = append(want["all"], m.GetName())
		if slices.Contains(m.GetTasks(), "chat") {
			want["task"] = append(want["task"], m.GetName())
		}
	}
	if len(want["task"]) == 0 || len(want["task"]) == len(want["all"]) {
		t.Fatalf("the models are no test: %v", want)
	}
	for name, models := range want {
		listed, err := g.admin.ListModels(g.as(t, name), &gatewayv1.ListModelsRequest{})
		if got := namesOf(listed.GetModels()); err != nil || !slices.Equal(got, models) {
			t.Errorf("%s lists %v, %v, want %v", name, got, err, models)
		}
		status, err := g.chat.Status(g.as(t, name), &gatewayv1.StatusRequest{})
		if got := namesOf(status.GetModels()); err != nil || !slices.Equal(got, models) {
			t.Errorf("%s has the status of %v, %v, want %v", name, got, err, models)
		}
		var health struct {
			Models []struct{ Name string }
		}
		body := g.getAs(t, name, "/v1/status")
		if err := json.Unmarshal([]byte(body), &health); err != nil || len(health.Models) != len(models) {
			t.Errorf("%s gets %s, %v, want %v", name, body, err, models)
		}
		if page := g.getAs(t, name, "/health"); strings.Contains(page, "whisper") != slices.Contains(models, "whisper") {
			t.Errorf("%s gets %s", name, page)
		}
		for _, m := range want["all"] {
			sees := slices.Contains(models, m)
			for what, err := range map[string]error{
				"GetModel": last(g.admin.GetModel(g.as(t, name), &gatewayv1.GetModelRequest{Name: m})),
				"PlanLoad": last(g.admin.PlanLoad(g.as(t, name), &gatewayv1.PlanLoadRequest{Name: m})),
			} {
				if sees && errs.ReasonOf(err) == errs.Forbidden || !sees && errs.ReasonOf(err) != errs.Forbidden {
					t.Errorf("%s of %s as %s: %v", what, m, name, err)
				}
			}
			if !sees {
				for what, err := range map[string]error{
					"WatchModels": watchError(t, g, name, m),
					"UnloadModel": last(g.admin.UnloadModel(g.as(t, name), &gatewayv1.UnloadModelRequest{Name: m})),
				} {
					if errs.ReasonOf(err) != errs.Forbidden {
						t.Errorf("%s of %s as %s: %v", what, m, name, err)
					}
				}
			}
		}
	}
	// A watcher gets the states of its models, then their changes, and nothing of others.
	stream, err := g.admin.WatchModels(g.as(t, "task"), &gatewayv1.WatchModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := loadModel(g.as(t, "all"), g); err != nil {
		t.Fatal(err)
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(want["task"], event.GetName()) {
			t.Errorf("an event of %s", event.GetName())
		}
		if event.GetName() == "qwen" && event.GetToState() == gatewayv1.ModelState_MODEL_STATE_READY {
			break
		}
	}
}

func watchError(t *testing.T, g *guarded, key, model string) error {
	t.Helper()
	stream, err := g.admin.WatchModels(g.as(t, key), &gatewayv1.WatchModelsRequest{Name: model})
	if err == nil {
		_, err = stream.Recv()
	}
	return err
}

func namesOf(models []*gatewayv1.Model) []string {
	names := []string{}
	for _, m := range models {
		names = append(names, m.GetName())
	}
	return names
}

// getAs returns the body of a GET with a key.
func (g *guarded) getAs(t *testing.T, name, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodGet, g.http+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.keys[name])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// TestDeniedCallsAreCounted checks that what a credential does not allow is counted
// once, by its name.
func TestDeniedCallsAreCounted(t *testing.T) {
	g := startGuarded(t, faultModels, &auth.Key{Name: "chat", Roles: []auth.Role{auth.Infer}, Tasks: []string{"chat"}, Models: []string{"qwen"}},
		&auth.Key{Name: "metrics", Roles: []auth.Role{auth.Metrics}})
	for range 2 {
		_, _ = g.chat.Status(g.as(t, "chat"), &gatewayv1.StatusRequest{})                                 // the role
		_, _ = g.chat.Respond(g.as(t, "chat"), &gatewayv1.RespondRequest{Text: "Hello"})                  // the task
		_ = g.getAs(t, "chat", "/metrics")                                                                // a route
		_ = g.getAs(t, "chat", "/v1/status")                                                              // the role, over REST
		_, _ = g.chat.Chat(g.as(t, "chat"), &gatewayv1.ChatRequest{Messages: say("x"), Model: "whisper"}) // the model
		_, _ = g.chat.Status(g.as(t, "nobody"), &gatewayv1.StatusRequest{})                               // no key
		_ = g.getAs(t, "nobody", "/v1/status")                                                            // no key, over REST
	}
	metrics := g.getAs(t, "metrics", "/metrics")
	for _, line := range []string{`key_requests_total{code="PermissionDenied",key="chat"} 10`, `key_requests_total{code="Unauthenticated",key=""} 4`} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s:\n%s", line, metrics[strings.Index(metrics, "key_requests_total"):][:300])
		}
	}
}

// TestPlansNameOnlyVisibleModels checks that a plan names no other models to a key that
// is limited to one.
func TestPlansNameOnlyVisibleModels(t *testing.T) {
	yaml := strings.NewReplacer("max_memory_mb: 2000", "max_memory_mb: 100", "piper: {engine: piper", "piper: {engine: fault").Replace(speechModels)
	roles := auth.Roles()
	g := startGuarded(t, yaml, &auth.Key{Name: "all", Roles: roles}, &auth.Key{Name: "one", Roles: roles, Models: []string{"piper"}})
	if _, err := g.chat.Chat(g.as(t, "all"), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
		t.Fatal(err)
	}
	for name, named := range map[string]bool{"all": true, "one": false} {
		plan, err := g.admin.PlanLoad(g.as(t, name), &gatewayv1.PlanLoadRequest{Name: "piper"})
		if err != nil || strings.Contains(plan.String(), "qwen") != named {
			t.Errorf("%s: %v, %v", name, plan, err)
		}
	}
}
