package llama

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// reference is a llama-server with the tested model: it gives llama.cpp's own
// results for the same file.
type reference struct {
	t   *testing.T
	url string
}

// startReference starts llama-server with the sizes of the tests' models.
func startReference(t *testing.T, model string) *reference {
	t.Helper()
	program := filepath.Join(os.Getenv("MG_NATIVE_TOOLS"), "llama-server")
	if os.Getenv("MG_NATIVE_TOOLS") == "" {
		var err error
		if program, err = exec.LookPath("llama-server"); err != nil {
			t.Fatalf("llama-server is not installed (%v): make native && scripts/native.sh tools, then make test", err)
		}
	}
	model, err := filepath.Abs(model)
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	var output bytes.Buffer
	cmd := exec.Command(program, "-m", model, "--host", host, "--port", port, "-t", "2", "-tb", "2",
		"-c", fmt.Sprint(testContext), "-np", "4", "--kv-unified", "--jinja", "--no-webui", "--no-warmup", "--log-disable")
	// ggml also searches its back ends in the working directory.
	cmd.Dir = os.Getenv("MG_GGML_BACKENDS")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start llama-server: %v: make native && scripts/native.sh tools", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	r := &reference{t: t, url: "http://" + address}
	deadline := time.After(time.Minute)
	for {
		if resp, err := http.Get(r.url + "/health"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return r
			}
		}
		select {
		case <-ended:
			t.Fatalf("llama-server ended: %s", output.String())
		case <-deadline:
			t.Fatal("llama-server was not ready within a minute")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// post calls the reference and decodes its answer. It is safe for concurrent use.
func (r *reference) post(path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("llama-server %s: %s: %s", path, resp.Status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// template renders a conversation with the template of the file.
func (r *reference) template(messages []map[string]string) string {
	r.t.Helper()
	var got struct{ Prompt string }
	if err := r.post("/apply-template", map[string]any{
		"messages":             messages,
		"chat_template_kwargs": map[string]bool{"enable_thinking": false},
	}, &got); err != nil {
		r.t.Fatal(err)
	}
	return got.Prompt
}

func (r *reference) tokenize(text string) []int32 {
	r.t.Helper()
	var got struct{ Tokens []int32 }
	if err := r.post("/tokenize", map[string]any{"content": text, "add_special": true, "parse_special": true}, &got); err != nil {
		r.t.Fatal(err)
	}
	return got.Tokens
}

type referenceAnswer struct {
	Content string
	Tokens  []int32
	Stop    string `json:"stop_type"`
	Choices []struct {
		Best []struct{ Logprob float64 } `json:"top_logprobs"`
	} `json:"completion_probabilities"` // one for each token if n_probs is set
}

// certain returns the number of tokens before the first one whose logit is so close
// to another's that the rounding of another batch could change the choice.
func (a referenceAnswer) certain() int {
	const rounding = 0.05
	for i, c := range a.Choices {
		if len(c.Best) > 1 && c.Best[0].Logprob-c.Best[1].Logprob < rounding {
			return i
		}
	}
	return len(a.Tokens)
}

// complete continues tokens. The options have llama-server's names.
func (r *reference) complete(tokens []int32, options map[string]any) (referenceAnswer, error) {
	body := map[string]any{"prompt": tokens, "return_tokens": true}
	for k, v := range options {
		body[k] = v
	}
	var got referenceAnswer
	err := r.post("/completion", body, &got)
	return got, err
}
