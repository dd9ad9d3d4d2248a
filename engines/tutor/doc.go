// Package tutor contains what the engines share for the tutoring tasks: the
// prompts of Grammar, Respond and ExplainVietnamese; the form of a Grammar answer,
// as GBNF for llama.cpp and as a JSON schema for Gemini; and the conversion of a
// model's answer to a GrammarResponse.
//
// All functions are pure. A model's answer provides the corrected text and the
// explanations; the offsets of the edits are computed by comparing the two texts.
package tutor
