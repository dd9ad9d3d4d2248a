package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// learnerTexts returns sentences as learners write them, and paragraphs of several.
func learnerTexts() []string {
	subjects := []string{"My brother", "She", "The teacher", "He", "My best friend"}
	rests := []string{
		"go to school by bus every morning because the house is far.",
		"have two younger sister and one dog which is very funny.",
		"don't like eat vegetable, but he eat many fruit after the dinner.",
		"want to learning English because it is useful for find a good job.",
		"was went to Da Nang last summer with family and swim in the sea.",
		"is work in a company since three years and he like his job.",
		"can to speak English very good when there is nobody at home.",
		"always come home late because the traffic are very bad in evening.",
	}
	var texts []string
	for _, rest := range rests {
		for _, subject := range subjects {
			texts = append(texts, subject+" "+rest)
		}
	}
	for i := range 10 {
		texts = append(texts, strings.Join([]string{texts[i], texts[i+10], texts[i+20], texts[i+30]}, " "))
	}
	return texts
}

// corrections are the results of one side.
type corrections struct {
	texts        []string // the corrected texts
	tokens       int
	wall, worked time.Duration // worked: of the processors
}

// compareGrammar has the same texts corrected by both sides, one after the other, with
// the same prompt and grammar.
func compareGrammar(ctx context.Context, o options, r *report.Report, ours *server, theirs *llamaServer) error {
	texts := learnerTexts()
	if o.tokens < len(texts) {
		texts = texts[:o.tokens]
	}
	var wall, worked [2]benchkit.Series
	var last [2]corrections
	if err := benchkit.Interleave(o.rounds, 2, func(round, side int) error {
		correct, pid := ours.correct, 0
		if side == 1 {
			correct, pid = theirs.correct, theirs.process.PID()
		} else {
			m, err := ours.Model(ctx, "qwen")
			if err != nil {
				return err
			}
			pid = int(m.GetWorkerPid())
		}
		got, err := measure(pid, func() (corrections, error) { return correctAll(ctx, correct, texts) })
		if err != nil || round == 0 {
			return err
		}
		wall[side].Add(float64(got.tokens) / got.wall.Seconds())
		worked[side].Add(float64(got.tokens) / got.worked.Seconds())
		last[side] = got
		return nil
	}); err != nil {
		return err
	}
	same := 0
	for i := range texts {
		if last[0].texts[i] == last[1].texts[i] {
			same++
		}
	}
	r.Setting("%d texts, %d and %d tokens of answers; %d corrected alike", len(texts), last[0].tokens, last[1].tokens, same)
	r.Compare("corrections", report.Unit{Name: "tokens of answers / s", Better: report.Higher}, "llama-server", wall[0], wall[1])
	r.Compare("corrections", report.Unit{Name: "tokens of answers / processor second", Better: report.Higher}, "llama-server", worked[0], worked[1])
	return nil
}

func measure(pid int, do func() (corrections, error)) (corrections, error) {
	before, err := benchkit.CPUSeconds(pid)
	if err != nil {
		return corrections{}, err
	}
	start := time.Now()
	got, err := do()
	got.wall = time.Since(start)
	after, cpuErr := benchkit.CPUSeconds(pid)
	got.worked = time.Duration((after - before) * float64(time.Second))
	return got, errors.Join(err, cpuErr)
}

type correction func(ctx context.Context, req *gatewayv1.GrammarRequest) (text string, tokens int, err error)

func correctAll(ctx context.Context, correct correction, texts []string) (corrections, error) {
	var all corrections
	for _, text := range texts {
		corrected, tokens, err := correct(ctx, &gatewayv1.GrammarRequest{Text: text})
		if err != nil {
			return all, err
		}
		all.texts = append(all.texts, corrected)
		all.tokens += tokens
	}
	return all, nil
}

func (g *server) correct(ctx context.Context, req *gatewayv1.GrammarRequest) (string, int, error) {
	resp, err := g.client.Grammar(ctx, req)
	return resp.GetCorrectedText(), int(resp.GetUsage().GetCompletionTokenCount()), err
}

func (s *llamaServer) correct(ctx context.Context, req *gatewayv1.GrammarRequest) (string, int, error) {
	var messages []map[string]string
	for _, m := range tutor.GrammarMessages(req) {
		role := strings.ToLower(strings.TrimPrefix(m.GetRole().String(), "ROLE_"))
		messages = append(messages, map[string]string{"role": role, "content": m.GetContent()})
	}
	resp, err := s.post(ctx, "/v1/chat/completions", map[string]any{
		"messages": messages, "grammar": tutor.GrammarGBNF(req), "temperature": 0,
		"max_tokens": tutor.GrammarSampling(req).GetMaxTokens(), "chat_template_kwargs": map[string]bool{"enable_thinking": false},
	})
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var got struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
		} `json:"choices"`
		Usage struct {
			Completion int `json:"completion_tokens"`
		} `json:"usage"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || len(got.Choices) != 1 {
		return "", 0, fmt.Errorf("llama-server answered with %d choices: %w", len(got.Choices), err)
	}
	parsed, err := tutor.ParseGrammar(req, got.Choices[0].Message.Content)
	return parsed.GetCorrectedText(), got.Usage.Completion, err
}
