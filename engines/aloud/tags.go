package aloud

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// unsaid is never read: comments, programs, declarations.
	unsaid = regexp.MustCompile(`(?is)<!--.*?-->|<script\b[^>]*>.*?</script\s*>|<style\b[^>]*>.*?</style\s*>|<!doctype[^>]*>|<\?.*?\?>|<!\[CDATA\[|\]\]>`)
	// code is `code`, in which nothing is a tag.
	code   = "`[^`\n]+`"
	tag    = `</?([A-Za-z][\w:.-]*)((?:\s[^<>]*)?)/?>`
	tagged = regexp.MustCompile(code + "|" + tag)
	// alias is SSML for what is read instead of the text.
	alias  = regexp.MustCompile(`(?is)<sub\s[^<>]*alias\s*=\s*["']([^"'<>]*)["'][^<>]*>[^<>]*</sub\s*>`)
	closes = regexp.MustCompile(`</([A-Za-z][\w:.-]*)\s*>`)
	// blanks and spaces are left where tags were.
	blanks = regexp.MustCompile(`[ \t]*([ \t,])`)
	spaces = regexp.MustCompile(`\n{3,}`)
	entity = regexp.MustCompile(`&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});`)
)

// withoutTags removes the tags of HTML and SSML and decodes entities. Tags that divide
// a text become the marks of Markdown that do the same.
func withoutTags(text string) string {
	if strings.Contains(text, "<") {
		text = unsaid.ReplaceAllLiteralString(text, " ")
		text = alias.ReplaceAllString(text, "$1")
		closed := map[string]bool{}
		for _, found := range closes.FindAllStringSubmatch(text, -1) {
			closed[strings.ToLower(found[1])] = true
		}
		text = replace(tagged, text, func(found []string, before, after string) string {
			if found[1] == "" {
				return found[0] // code
			}
			return readTag(found, closed, before, after)
		})
		text = spaces.ReplaceAllString(blanks.ReplaceAllString(text, "$1"), "\n\n")
	}
	return entity.ReplaceAllStringFunc(text, html.UnescapeString)
}

// readTag returns what is read of a tag.
func readTag(found []string, closed map[string]bool, before, after string) string {
	whole, name := found[0], strings.ToLower(found[1])
	isTag := strings.HasPrefix(whole, "</") || strings.HasSuffix(whole, "/>") || strings.Contains(found[2], "=") || closed[name] || IsOpen(name)
	switch {
	case !isTag:
		return found[1] + found[2] // a place to fill in: "Dear <name>"
	case IsBlock(name):
		return block(name, whole)
	case name == "break":
		// A pause.
		if r, _ := utf8.DecodeLastRuneInString(strings.TrimRight(before, " ")); inWord(r) && strings.ContainsFunc(after, inWord) {
			return ","
		}
	case name == "img":
		if _, alt, ok := strings.Cut(found[2], `alt="`); ok {
			alt, _, _ = strings.Cut(alt, `"`)
			return alt
		}
	}
	// Tags within a word do not divide it: "H<sub>2</sub>O".
	return ""
}

// IsOpen reports whether a tag of HTML, in lower case, often has no end.
func IsOpen(name string) bool {
	switch name {
	case "br", "hr", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "b", "i", "u", "em", "strong", "span", "div", "break":
		return true
	}
	return false
}

// IsBlock reports whether a tag, in lower case, divides a text.
func IsBlock(name string) bool {
	switch name {
	case "br", "hr", "p", "div", "li", "ul", "ol", "dl", "dt", "dd", "tr", "td", "th", "table", "h1", "h2", "h3", "h4", "h5", "h6",
		"blockquote", "section", "article", "header", "footer", "title", "caption", "pre", "sentence", "paragraph":
		return true
	}
	return false
}

// block returns the mark of Markdown for a tag that divides a text.
func block(name, whole string) string {
	end := strings.HasPrefix(whole, "</")
	switch name {
	case "br":
		return "\n"
	case "li", "dt", "dd", "caption":
		if end {
			return "\n"
		}
		return "\n- "
	case "tr":
		if end {
			return "\n"
		}
		return "\n|"
	case "td", "th":
		if end {
			return "|"
		}
		return ""
	case "h1", "h2", "h3", "h4", "h5", "h6", "title":
		if end {
			return "\n\n"
		}
		return "\n\n# "
	}
	return "\n\n"
}

// replace replaces each match of a pattern. replaced gets the groups of the match and
// at most a line before and after it.
func replace(pattern *regexp.Regexp, text string, replaced func(groups []string, before, after string) string) string {
	const near = 80
	var b strings.Builder
	at := 0
	for _, span := range pattern.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[at:span[0]])
		groups := make([]string, len(span)/2)
		for i := range groups {
			if span[2*i] >= 0 {
				groups[i] = text[span[2*i]:span[2*i+1]]
			}
		}
		b.WriteString(replaced(groups, text[max(0, span[0]-near):span[0]], text[span[1]:min(len(text), span[1]+near)]))
		at = span[1]
	}
	b.WriteString(text[at:])
	return b.String()
}

// isSpace reports whether a text is only white space.
func isSpace(text string) bool { return strings.TrimFunc(text, unicode.IsSpace) == "" }
