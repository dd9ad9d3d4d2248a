package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
)

// parallel is the number of sequences that each side can decode at once.
const parallel = 4

type llamaServer struct {
	process *benchkit.Process
	url     string
}

func startLlamaServer(ctx context.Context, o options) (*llamaServer, error) {
	addr, err := benchkit.FreeAddr()
	if err != nil {
		return nil, err
	}
	host, port, _ := strings.Cut(addr, ":")
	threads := strconv.Itoa(o.threads)
	p, err := benchkit.Start(output(o), nil, o.llamaServer, "-m", o.model, "--host", host, "--port", port,
		"-t", threads, "-tb", threads, "-c", strconv.Itoa(o.contextLength), "-np", strconv.Itoa(parallel),
		"--kv-unified", "--jinja", "--reasoning-budget", "0", "--no-webui")
	if err != nil {
		return nil, err
	}
	s := &llamaServer{process: p, url: "http://" + addr}
	ready, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := p.WaitHTTP(ready, s.url+"/health", 100*time.Millisecond); err != nil {
		p.Stop()
		return nil, err
	}
	return s, nil
}

func output(o options) io.Writer {
	if o.verbose {
		return os.Stderr
	}
	return io.Discard
}

func (s *llamaServer) post(ctx context.Context, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		_ = resp.Body.Close()
		return nil, fmt.Errorf("llama-server %s: %s: %s", path, resp.Status, text)
	}
	return resp, err
}

// textOfTokens returns English text of about n tokens.
func (s *llamaServer) textOfTokens(ctx context.Context, n int) (string, error) {
	const sentence = "You are a patient English tutor who answers in short and simple sentences. "
	resp, err := s.post(ctx, "/tokenize", map[string]any{"content": strings.Repeat(sentence, 8)})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var got struct {
		Tokens []json.RawMessage `json:"tokens"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return "", err
	}
	words := strings.Fields(strings.Repeat(sentence, 1+n*8/max(1, len(got.Tokens))+1))
	perWord := float64(len(got.Tokens)) / float64(8*len(strings.Fields(sentence)))
	return strings.Join(words[:min(len(words), int(float64(n)/perWord))], " "), nil
}

func (s *llamaServer) chat(ctx context.Context, system, user string, maxTokens int) (answer, error) {
	start := time.Now()
	resp, err := s.post(ctx, "/v1/chat/completions", map[string]any{
		"messages": []map[string]string{
			{"role": "system", "content": system},
			{"role": "user", "content": user},
		},
		"stream": true, "temperature": 0, "max_tokens": maxTokens,
		"stream_options":       map[string]bool{"include_usage": true},
		"chat_template_kwargs": map[string]bool{"enable_thinking": false},
	})
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var a answer
	var last time.Time
	scanner := bufio.NewScanner(resp.Body)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		data, ok := strings.CutPrefix(scanner.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var event struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
			Usage *struct {
				Completion int `json:"completion_tokens"`
			} `json:"usage"`
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return answer{}, err
		}
		if event.Usage != nil {
			a.tokens = event.Usage.Completion
		}
		if len(event.Choices) > 0 && event.Choices[0].Delta.Content != "" {
			last = time.Now()
			if a.firstToken == 0 {
				a.firstToken = last.Sub(start)
			}
		}
	}
	a.decode = last.Sub(start) - a.firstToken
	return a, scanner.Err()
}
