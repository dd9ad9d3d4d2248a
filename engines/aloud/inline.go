package aloud

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	apostrophe = regexp.MustCompile("(\\pL)[`´](t|m|re|ve|ll|d)\\b")
	footnote   = regexp.MustCompile(`\[\^[^\]\s]+\]`)
	image      = regexp.MustCompile(`!\[([^\[\]]*)\]\([^()\s]*(?:\s+"[^"]*")?\)`)
	link       = regexp.MustCompile(`\[([^\[\]]*)\](?:\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"]*")?\)|\[[^\[\]]*\])`)
	address    = regexp.MustCompile(`<?\b(?:https?|ftp)://([^\s<>()"\x60|]+)>?|<(?:mailto:)?([^\s<>@]+@[^\s<>@]+)>`)
	escape     = regexp.MustCompile("\\\\([\\\\`*_{}\\[\\]()#+\\-.!~|<>&])")
	strike     = regexp.MustCompile(`~~+`)
	marked     = regexp.MustCompile(`(^|[\s(])==([^=\s](?:[^=]*[^=\s])?)==($|[\s).,:;!?])`)
	lowered    = regexp.MustCompile(`(\pL)(?:~(\d{1,9}|\pL{1,2})~|\^([\pL\d]{1,9})\^)`)
)

// inline removes the marks within a line.
func inline(line string) string {
	line = apostrophe.ReplaceAllString(line, "$1'$2")
	line = strings.ReplaceAll(line, "`", "")
	if strings.Contains(line, "[") {
		line = footnote.ReplaceAllLiteralString(line, "")
		line = image.ReplaceAllString(line, "$1")
		line = link.ReplaceAllString(line, "$1")
	}
	if strings.ContainsAny(line, ":@") {
		line = replace(address, line, func(found []string, _, _ string) string { return found[2] + host(found[1]) })
	}
	line = strike.ReplaceAllLiteralString(line, "")
	for range 2 { // in "==a== ==b==", the space belongs to both
		line = marked.ReplaceAllString(line, "$1$2$3")
	}
	line = lowered.ReplaceAllString(line, "$1$2$3")
	line = emphasis(line)
	return strings.TrimRight(escape.ReplaceAllString(line, "$1"), " \t\\")
}

// host returns what is read of an address on the web, with the punctuation after it.
func host(address string) string {
	trimmed := strings.TrimRight(address, `.,!?;:'…`)
	name := strings.TrimPrefix(trimmed, "www.")
	if i := strings.IndexAny(name, "/?#"); i >= 0 {
		name = name[:i]
	}
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		name = name[i+1:]
	}
	name, _, _ = strings.Cut(name, ":")
	return name + address[len(trimmed):]
}

// emphasis removes the marks of bold and italic: "*" unless it multiplies, and "_" at
// the edge of a word.
func emphasis(line string) string {
	if !strings.ContainsAny(line, "*_") {
		return line
	}
	runes := []rune(line)
	var b strings.Builder
	for i := 0; i < len(runes); {
		r := runes[i]
		end := i + 1
		for end < len(runes) && runes[end] == r {
			end++
		}
		before, after := at(runes, i-1), at(runes, end)
		escaped := before == '\\'
		switch {
		case r == '*' && !escaped && !multiplies(runes, i, end),
			r == '_' && !escaped && inWord(before) != inWord(after):
		default:
			b.WriteString(string(runes[i:end]))
		}
		i = end
	}
	return b.String()
}

// multiplies reports whether the asterisks are one sign between two numbers or names:
// "5*3", "a * b".
func multiplies(runes []rune, from, to int) bool {
	if to-from > 1 {
		return false
	}
	before, after := at(runes, from-1), at(runes, to)
	if unicode.IsDigit(before) && unicode.IsDigit(after) {
		return true
	}
	return before == ' ' && after == ' ' && inWord(at(runes, from-2)) && inWord(at(runes, to+1))
}

// at returns a character; 0 outside of the text.
func at(runes []rune, i int) rune {
	if i < 0 || i >= len(runes) {
		return 0
	}
	return runes[i]
}
