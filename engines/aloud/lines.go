package aloud

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a line is.
type kind int

const (
	plain   kind = iota // part of a paragraph
	divided             // a line of its own: a heading, a row, code
	item                // the first line of a list item
	empty
)

var (
	fence     = regexp.MustCompile("^\\s*(?:```+|~~~+)[^`]*$")
	quote     = regexp.MustCompile(`^\s*(?:>\s*)+([^\d\s>]|$)`)
	heading   = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$`)
	rule      = regexp.MustCompile(`^\s*(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,}|={2,}|-{2,})\s*$`)
	tableRule = regexp.MustCompile(`^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$`)
	row       = regexp.MustCompile(`^\s*\|(.+)$`)
	bullet    = regexp.MustCompile(`^\s*[-*+•·‣◦▪●○■□◆►▶➤➜→–—]\s+(?:\[[ xX]\]\s+)?(.*)$`)
	ordered   = regexp.MustCompile(`^\s*(?:\((\d{1,2}|[a-zA-Z])\)|(\d{1,3}|[a-zA-Z])\)|(\d{1,3}|[a-z])\.)\s+(.+)$`)
	reference = regexp.MustCompile(`^\s*\[[^\]]+\]:\s+\S+`)
)

// line is a line without the marks at its beginning.
type line struct {
	text string
	kind kind
}

// lines removes the marks of lines, and ends with a full stop what is a sentence of
// its own.
func lines(text string) string {
	var all []line
	inCode := false
	raws := strings.Split(text, "\n")
	rows(raws)
	for _, raw := range raws {
		if fence.MatchString(raw) {
			inCode = !inCode
			all = append(all, line{kind: empty})
			continue
		}
		if inCode {
			all = append(all, line{strings.TrimSpace(raw), divided})
			continue
		}
		all = append(all, read(raw, 1))
		if last := len(all) - 1; last > 0 && all[last].kind == empty && rule.MatchString(raw) && all[last-1].kind == plain {
			all[last-1].kind = divided // a heading that is underlined
		}
	}
	var b strings.Builder
	for i, l := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.text)
		if i+1 < len(all) && ends(l, all[i+1]) || i+1 == len(all) && l.kind != plain {
			b.WriteString(fullStop(l.text))
		}
	}
	return b.String()
}

// rows puts a mark before the rows of tables that have none at the beginning: the lines
// around a rule that have marks too.
func rows(raws []string) {
	for i, raw := range raws {
		if !strings.Contains(raw, "|") || !strings.Contains(raw, "-") || !tableRule.MatchString(raw) {
			continue
		}
		if i > 0 && strings.Contains(raws[i-1], "|") && !row.MatchString(raws[i-1]) {
			raws[i-1] = "|" + raws[i-1]
		}
		for j := i + 1; j < len(raws) && strings.Contains(raws[j], "|") && !row.MatchString(raws[j]); j++ {
			raws[j] = "|" + raws[j]
		}
	}
}

// maxNested is the number of marks that may begin a line: "- # Tea".
const maxNested = 3

// read removes the marks of a line.
func read(raw string, nested int) line {
	raw = quote.ReplaceAllString(raw, "$1")
	switch {
	case isSpace(raw), rule.MatchString(raw), strings.Contains(raw, "-") && tableRule.MatchString(raw), reference.MatchString(raw):
		return line{kind: empty}
	}
	if m := heading.FindStringSubmatch(raw); m != nil {
		return line{inline(m[1]), divided}
	}
	if m := row.FindStringSubmatch(raw); m != nil {
		return line{cells(m[1]), divided}
	}
	if m := bullet.FindStringSubmatch(raw); m != nil {
		if nested == maxNested {
			return line{inline(m[1]), item}
		}
		return line{read(m[1], nested+1).text, item}
	}
	if m := ordered.FindStringSubmatch(raw); m != nil {
		return line{m[1] + m[2] + m[3] + ", " + inline(m[4]), item}
	}
	return line{inline(raw), plain}
}

// cells returns the cells of a row of a table, with pauses between them.
func cells(text string) string {
	var said []string
	for _, cell := range strings.Split(text, "|") {
		if cell = strings.TrimSpace(inline(cell)); cell != "" {
			said = append(said, cell)
		}
	}
	return strings.Join(said, ", ")
}

// shortLine is the number of characters up to which a line is not one of a paragraph
// that somebody has broken into lines.
const shortLine = 40

// ends reports whether a sentence ends between two lines.
func ends(l, next line) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(next.text))
	switch {
	case l.kind == empty:
		return false
	case l.kind == divided, next.kind == item, next.kind == divided:
		return true
	case l.kind == item:
		return next.kind == empty || !unicode.IsLower(first)
	case next.kind == empty:
		return false // the engine pauses after a paragraph
	}
	return utf8.RuneCountInString(l.text) <= shortLine && (unicode.IsUpper(first) || unicode.IsDigit(first) || unicode.Is(unicode.So, first))
}

// fullStop returns the full stop that a line lacks.
func fullStop(text string) string {
	text = strings.TrimRightFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'”’»)]}_*`, r) })
	last, _ := utf8.DecodeLastRuneInString(text)
	if !strings.ContainsFunc(text, inWord) || strings.ContainsRune(".!?…:;,。！？：；，、", last) {
		return ""
	}
	return "."
}
