package gemini

import (
	"strings"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The finish reasons, without the generated prefix.
const (
	finishStop   = gatewayv1.FinishReason_FINISH_REASON_STOP
	finishLength = gatewayv1.FinishReason_FINISH_REASON_LENGTH
	finishCalls  = gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS
	finishSafety = gatewayv1.FinishReason_FINISH_REASON_SAFETY
)

// answer is one answer of the API, without thoughts.
type answer struct {
	text    strings.Builder
	calls   int // of functions
	sound   []byte
	mime    string // of sound
	finish  genai.FinishReason
	blocked genai.BlockedReason
	usage   *gatewayv1.Usage
}

// add appends a piece of the answer, and returns its text and that of thoughts.
func (a *answer) add(resp *genai.GenerateContentResponse) (text, thought string) {
	a.addCommon(resp)
	if len(resp.Candidates) == 0 || resp.Candidates[0] == nil {
		return "", ""
	}
	return a.addCandidate(resp.Candidates[0])
}

// addCommon takes from a piece what concerns all answers.
func (a *answer) addCommon(resp *genai.GenerateContentResponse) {
	if f := resp.PromptFeedback; f != nil && f.BlockReason != "" {
		a.blocked = f.BlockReason
	}
	if u := resp.UsageMetadata; u != nil {
		a.usage = &gatewayv1.Usage{
			PromptTokenCount:       u.PromptTokenCount,
			CachedPromptTokenCount: u.CachedContentTokenCount,
			CompletionTokenCount:   u.CandidatesTokenCount + u.ThoughtsTokenCount,
			ReasoningTokenCount:    u.ThoughtsTokenCount,
		}
	}
}

// addCandidate appends a piece, and returns its text and that of thoughts.
func (a *answer) addCandidate(candidate *genai.Candidate) (text, thought string) {
	if candidate.FinishReason != "" {
		a.finish = candidate.FinishReason
	}
	if candidate.Content == nil {
		return "", ""
	}
	var piece, thoughts strings.Builder
	for _, part := range candidate.Content.Parts {
		switch {
		case part == nil:
		case part.Thought:
			thoughts.WriteString(part.Text)
		case part.FunctionCall != nil:
			a.calls++
		case part.InlineData != nil:
			if a.mime == "" {
				a.mime = part.InlineData.MIMEType
			}
			a.sound = append(a.sound, part.InlineData.Data...)
		default:
			piece.WriteString(part.Text)
		}
	}
	a.text.WriteString(piece.String())
	return piece.String(), thoughts.String()
}

// finishReason returns why the answer ended. An answer without a finish reason or
// without content is an error: it must not be reported as an empty answer.
func (a *answer) finishReason() (gatewayv1.FinishReason, error) {
	empty := a.text.Len() == 0 && len(a.sound) == 0 && a.calls == 0
	switch a.finish {
	case genai.FinishReasonSafety, genai.FinishReasonBlocklist, genai.FinishReasonProhibitedContent,
		genai.FinishReasonSPII, genai.FinishReasonRecitation:
		return finishSafety, nil
	case genai.FinishReasonMaxTokens, genai.FinishReasonContinuation:
		return finishLength, nil
	case genai.FinishReasonStop:
		if a.calls > 0 {
			return finishCalls, nil
		}
		if !empty {
			return finishStop, nil
		}
	}
	if a.blocked != "" {
		return finishSafety, nil
	}
	if empty {
		return 0, errs.New(errs.EngineCrashed, "Gemini returned an empty answer: try again")
	}
	return 0, errs.New(errs.EngineCrashed, "Gemini's answer ended without a known finish reason: try again")
}

// complete returns an error if the answer is not complete, for tasks that cannot
// use a part of it.
func (a *answer) complete() error {
	finish, err := a.finishReason()
	switch {
	case err != nil:
		return err
	case finish == finishSafety:
		return a.refusal()
	case finish == finishLength:
		return errs.New(errs.InvalidRequest, "Gemini's answer is incomplete: the request is too long; send it in smaller parts")
	}
	return nil
}

// refusal returns the error for an answer that a safety filter withheld.
func (a *answer) refusal() error {
	why := string(a.blocked)
	if why == "" {
		why = string(a.finish)
	}
	return errs.New(errs.InvalidRequest,
		"Gemini's safety filter blocked the answer (%s): change the text, or the model's parameter \"safety\"", shorten(why, maxWord)).
		With("safety", shorten(why, maxWord))
}
