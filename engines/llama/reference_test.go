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
	"slices"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
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
		"-c", fmt.Sprint(testContext), "-np", "4", "--kv-unified", "--swa-full", "--jinja", "--no-webui", "--no-warmup", "--log-disable")
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
	Stop    string            `json:"stop_type"`
	Choices []referenceChoice `json:"completion_probabilities"` // if n_probs is set
}

// referenceChoice has the most likely tokens at a position, the most likely first.
type referenceChoice struct {
	Best []struct {
		ID      int32
		Logprob float64
	} `json:"top_logprobs"`
}

// rounding is the largest difference of two logits that can change because the same
// tokens are computed in other batches. For SmolLM2's 4-bit weights, llama-server's own
// answers showed 0.4.
const rounding = 1

// follows checks that each token of an answer is the reference's choice after the
// tokens before it, or as likely up to rounding.
func (r *reference) follows(prompt, answer []int32) error {
	for at := 0; at < len(answer); at++ {
		before := slices.Concat(prompt, answer[:at])
		a, err := r.complete(before, map[string]any{"temperature": 0, "n_predict": len(answer) - at, "cache_prompt": false})
		if err != nil {
			return err
		}
		same := 0
		for same < len(a.Tokens) && same < len(answer)-at && a.Tokens[same] == answer[at+same] {
			same++
		}
		if at += same; at == len(answer) {
			return nil
		}
		a, err = r.complete(slices.Concat(prompt, answer[:at]), map[string]any{"temperature": 0, "n_predict": 1, "n_probs": 10, "cache_prompt": false})
		if err != nil {
			return err
		}
		// For a part of a character, llama-server returns no probabilities.
		if len(a.Choices) > 0 && !a.Choices[0].allow(answer[at]) {
			return fmt.Errorf("token %d is %d, the reference's choices are %v", at, answer[at], a.Choices[0].Best)
		}
	}
	return nil
}

// allow reports whether a token is about as likely as the most likely one.
func (c referenceChoice) allow(token int32) bool {
	for _, b := range c.Best {
		if b.ID == token {
			return c.Best[0].Logprob-b.Logprob <= rounding
		}
	}
	return false
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

// chat returns the answer to a conversation and the number of its tokens.
func (r *reference) chat(messages []*gatewayv1.ChatMessage, maxTokens int32) (text string, tokens int32) {
	r.t.Helper()
	var got struct {
		Choices []struct{ Message struct{ Content string } }
		Usage   struct {
			Completion int32 `json:"completion_tokens"`
		}
	}
	if err := r.post("/v1/chat/completions", map[string]any{
		"messages": referenceMessages(messages), "temperature": 0, "max_tokens": maxTokens, "cache_prompt": false,
		"chat_template_kwargs": map[string]bool{"enable_thinking": false},
	}, &got); err != nil {
		r.t.Fatal(err)
	}
	return got.Choices[0].Message.Content, got.Usage.Completion
}

// continueTranscript returns the answer to a transcript and the number of its tokens.
func (r *reference) continueTranscript(prompt []int32, maxTokens int32) (text string, tokens int32) {
	r.t.Helper()
	got, err := r.complete(prompt, map[string]any{
		"temperature": 0, "n_predict": maxTokens, "cache_prompt": false, "stop": []string{"\nUser:", "\nAssistant:"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSuffix(strings.TrimLeft(got.Content, " \n"), "\n"), int32(len(got.Tokens))
}
