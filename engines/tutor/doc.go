// Package tutor holds what the tutoring tasks share across engines: the prompts
// for Grammar, Respond and ExplainVietnamese, the shape that a Grammar answer is
// held to (as GBNF for llama.cpp, as a JSON schema for Gemini), and the way from a
// model's answer to a GrammarResponse.
//
// Everything here is pure: a request in, messages or a response out. A model's
// answer is used for the corrected text and for the words of the explanations;
// where an edit is, is computed by comparing the two texts.
package tutor
