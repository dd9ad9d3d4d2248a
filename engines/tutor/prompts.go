package tutor

import (
	"strings"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The prompts below are part of the product: starter models are trained on
// them word for word, and servers keep their computed prefixes. Changing one
// means training those models again.

// GrammarPromptEnglish is the system prompt of Grammar with explanations in
// English. The user's turn is the text alone.
const GrammarPromptEnglish = `You correct English written by a learner. Fix the mistakes and change nothing else. Answer with JSON only. "corrected" is the whole text without mistakes. "notes" has one entry for each mistake: "wrong" (the learner's words), "right" (the correct words), "type" and "explanation" (one short sentence in English). If there is no mistake, "corrected" repeats the text and "notes" is empty.
` + grammarTypesLine + `
Example: She have two book.
{"corrected":"She has two books.","notes":[{"wrong":"have","right":"has","type":"AGREEMENT","explanation":"With \"she\" the verb is \"has\"."},{"wrong":"book","right":"books","type":"NOUN_NUMBER","explanation":"After \"two\" the noun is plural."}]}`

// GrammarPromptVietnamese is the system prompt of Grammar with explanations in
// Vietnamese. The user's turn is the text alone.
const GrammarPromptVietnamese = `You correct English written by a learner. Fix the mistakes and change nothing else. Answer with JSON only. "corrected" is the whole English text without mistakes. "notes" has one entry for each mistake: "wrong" (the learner's words), "right" (the correct words), "type" and "explanation" (one short sentence in Vietnamese). If there is no mistake, "corrected" repeats the text and "notes" is empty.
` + grammarTypesLine + `
Example: She have two book.
{"corrected":"She has two books.","notes":[{"wrong":"have","right":"has","type":"AGREEMENT","explanation":"Với \"she\", động từ là \"has\"."},{"wrong":"book","right":"books","type":"NOUN_NUMBER","explanation":"Sau \"two\", danh từ ở số nhiều."}]}`

// grammarTypesLine names the error types in the order of the API's enum.
const grammarTypesLine = `Types: AGREEMENT, VERB_TENSE, ARTICLE, PREPOSITION, NOUN_NUMBER, WORD_ORDER, WORD_CHOICE, SPELLING, PUNCTUATION, MISSING_WORD, EXTRA_WORD.`

// RespondPrompt is the system prompt of Respond; the line for the learner's
// level follows it after a space.
const RespondPrompt = `You are a friendly English tutor. You talk with a Vietnamese learner of English. Answer in English, in one to three sentences. If the learner made a mistake, say the correct sentence first. End with a simple question.`

// Lines for the learner's level, by the CEFR.
const (
	levelA1 = `The learner's level is A1: use very short sentences and the most common words.`
	levelA2 = `The learner's level is A2: use short sentences and everyday words.`
	levelB1 = `The learner's level is B1: use clear sentences and common words.`
	levelB2 = `The learner's level is B2: use natural sentences and explain rare words.`
	levelC1 = `The learner's level is C1: use rich and natural English.`
	levelC2 = `The learner's level is C2: speak as with a native speaker.`
)

// ExplainPrompt is the system prompt of ExplainVietnamese.
const ExplainPrompt = `Bạn là giáo viên tiếng Anh của người Việt. Hãy trả lời bằng tiếng Việt, ngắn gọn và dễ hiểu, kèm một hoặc hai ví dụ tiếng Anh có dịch nghĩa.`

// explainDefaultQuestion is asked where the request asks nothing.
const explainDefaultQuestion = `Nghĩa là gì và dùng như thế nào?`

// GrammarMessages returns the conversation that asks a model for a correction.
// Space around the text is left out; ParseGrammar puts it back.
func GrammarMessages(req *gatewayv1.GrammarRequest) []*gatewayv1.ChatMessage {
	system := GrammarPromptEnglish
	if req.GetExplanationLanguage() == gatewayv1.ExplanationLanguage_EXPLANATION_LANGUAGE_VIETNAMESE {
		system = GrammarPromptVietnamese
	}
	return []*gatewayv1.ChatMessage{
		message(gatewayv1.Role_ROLE_SYSTEM, system),
		message(gatewayv1.Role_ROLE_USER, strings.TrimSpace(req.GetText())),
	}
}

// RespondMessages returns the conversation that asks a model for the tutor's
// turn. System turns in the history are appended to the system prompt, because
// many chat templates refuse them anywhere but first.
func RespondMessages(req *gatewayv1.RespondRequest) []*gatewayv1.ChatMessage {
	system := req.GetSystemPrompt()
	if system == "" {
		system = RespondPrompt + " " + levelLine(req.GetLevel())
	}
	var turns []*gatewayv1.ChatMessage
	for _, m := range req.GetHistory() {
		if m.GetRole() == gatewayv1.Role_ROLE_SYSTEM {
			system += "\n" + m.GetContent()
			continue
		}
		turns = append(turns, m)
	}
	messages := append([]*gatewayv1.ChatMessage{message(gatewayv1.Role_ROLE_SYSTEM, system)}, turns...)
	return append(messages, message(gatewayv1.Role_ROLE_USER, req.GetText()))
}

// ExplainMessages returns the conversation that asks a model for an explanation
// in Vietnamese.
func ExplainMessages(req *gatewayv1.ExplainVietnameseRequest) []*gatewayv1.ChatMessage {
	question := strings.TrimSpace(req.GetQuestion())
	if question == "" {
		question = explainDefaultQuestion
	}
	return []*gatewayv1.ChatMessage{
		message(gatewayv1.Role_ROLE_SYSTEM, ExplainPrompt),
		message(gatewayv1.Role_ROLE_USER, "Tiếng Anh: "+strings.TrimSpace(req.GetText())+"\nCâu hỏi: "+question),
	}
}

func levelLine(level string) string {
	switch level {
	case "A1":
		return levelA1
	case "A2":
		return levelA2
	case "B2":
		return levelB2
	case "C1":
		return levelC1
	case "C2":
		return levelC2
	default:
		return levelB1
	}
}

func message(role gatewayv1.Role, content string) *gatewayv1.ChatMessage {
	return &gatewayv1.ChatMessage{Role: role, Content: content}
}
