package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	keys := func(args ...string) result {
		return finish(t, command(t, append(append([]string{"keys"}, args...), "--keys-file="+file)...))
	}
	keys("list").check(t, exitOK, "no keys", "keys add")
	added := keys("add", "backend", "--role=infer,observe", "--task=stt", "--model=qwen", "--expires=30d",
		"--limit=requests_per_second=0.5", "--limit=tokens_per_minute=6000", "--weight=3")
	added.check(t, exitOK, "shown only now", "MODELGATEWAY_API_KEY")
	if !strings.HasPrefix(added.out, "mg_") || strings.Count(added.out, "\n") != 1 {
		t.Errorf("%q", added.out)
	}
	keys("add", "backend").check(t, exitFailed, "two keys")
	keys("add", "b", "--role=root").check(t, exitFailed, "root", "admin")
	keys("add", "b", "--model=none").check(t, exitUsage, "none")
	keys("add", "b", "--task=transcrbe").check(t, exitUsage, "transcrbe", "transcribe")
	for _, weight := range []string{"0", "-1"} {
		keys("add", "b", "--weight="+weight).check(t, exitUsage, "--weight", "1 to 100")
	}
	keys("add", "b", "--weight=101").check(t, exitFailed, "weight 101", "1 to 100")
	keys("add").check(t, exitUsage, "modelgateway keys add --help")
	keys("add", "b", "--max-priority=top").check(t, exitUsage, "critical")
	keys("add", "b", "--expires=soon").check(t, exitUsage, "30d")
	listed := keys("list")
	listed.check(t, exitOK, "backend", "infer,observe", "transcribe", "qwen", "normal", "requests_per_second=0.5,tokens_per_minute=6000")
	if strings.Contains(listed.out, strings.TrimSpace(added.out)) {
		t.Error("the list has the key")
	}
	for limit, says := range map[string]string{"tokens=1": "tokens_per_minute", "request_burst=-1": "request_burst is -1", "request_burst=many": "--limit"} {
		keys("add", "b", "--limit="+limit).check(t, exitUsage, says)
	}
	var all struct {
		Keys []struct {
			Name   string
			Limits map[string]float64
			Weight int
		}
	}
	if out := keys("list", "--json"); json.Unmarshal([]byte(out.out), &all) != nil || len(all.Keys) != 1 || all.Keys[0].Limits["tokens_per_minute"] != 6000 || all.Keys[0].Weight != 3 {
		t.Errorf("%s", out.out)
	}
	keys("revoke", "backend").check(t, exitOK, "revoked")
	keys("revoke", "backend").check(t, exitFailed, "no key", "keys list")
}

// TestKeysToken makes an access token without a server and calls one with it.
func TestKeysToken(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	file := settings(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text)+"auth: {keys_file: "+keys+"}\n")
	key := strings.TrimSpace(finish(t, command(t, "keys", "add", "backend", "--config="+file)).out)
	s := startWith(t, file)
	as := func(key string, args ...string) result {
		cmd := command(t, args...)
		cmd.Env = append(cmd.Env, "MODELGATEWAY_API_KEY="+key, "MODELGATEWAY_ADDR="+s.addr)
		return finish(t, cmd)
	}
	made := as(key, "keys", "token", "--subject=user-7", "--task=chat", "--max-priority=low")
	made.check(t, exitOK, "ends at")
	token := strings.TrimSpace(made.out)
	as(token, "chat", "Hello").check(t, exitOK)
	as(token, "grammar", "Hello").check(t, exitDenied, "access token", "backend", "grammar")
	as(token, "status").check(t, exitDenied, "FORBIDDEN")
	as(key, "keys", "token", "--lifetime=2h").check(t, exitUsage, "1h")
	as(key, "keys", "token", "--max-priority=top").check(t, exitUsage, "critical")
	as(token, "keys", "token").check(t, exitUsage, "keys add")
	as("", "keys", "token").check(t, exitUsage, "MODELGATEWAY_API_KEY")
}
