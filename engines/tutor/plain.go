package tutor

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Keyboards differ in the characters that they write for one mark, and small models
// know only one of them. A model therefore sees the plain form of a text:
//   - ASCII quotation marks, hyphens, spaces and digits, letters of normal width,
//     everything in NFKC;
//   - one mark where several follow each other, and "." or "," for an ellipsis;
//   - one space where several follow each other;
//   - no characters without a width.
//
// For Grammar it also lacks emoji, emoticons and the marks of list items.

// PlainGrammar returns the request that a model sees. ParseGrammar needs the
// original one.
func PlainGrammar(req *gatewayv1.GrammarRequest) *gatewayv1.GrammarRequest {
	out := proto.CloneOf(req)
	out.Text = keysOf(plainOf(req.GetText(), hiddenInGrammar))
	return out
}

// PlainRespond returns the request that a model sees. Emoji are left out of what
// the learner wrote, unless there is nothing else.
func PlainRespond(req *gatewayv1.RespondRequest) *gatewayv1.RespondRequest {
	out := proto.CloneOf(req)
	out.Text = withoutEmoji(req.GetText())
	for _, m := range out.GetHistory() {
		if m.GetRole() == gatewayv1.Role_ROLE_USER {
			m.Content = withoutEmoji(m.GetContent())
		}
	}
	return out
}

// PlainExplain returns the request that a model sees. It keeps emoji and emoticons:
// the question may be about them.
func PlainExplain(req *gatewayv1.ExplainVietnameseRequest) *gatewayv1.ExplainVietnameseRequest {
	out := proto.CloneOf(req)
	out.Text = keysOf(plainOf(req.GetText(), nil))
	out.Question = keysOf(plainOf(req.GetQuestion(), nil))
	return out
}

func withoutEmoji(text string) string {
	if plain := keysOf(plainOf(text, hiddenInRespond)); strings.TrimSpace(plain) != "" {
		return plain
	}
	return text
}

// plainRune is a character of the plain form. It stands for the code points
// [from, to) of the text.
type plainRune struct {
	r        rune
	from, to int
}

func keysOf(runes []plainRune) string {
	var b strings.Builder
	for _, p := range runes {
		b.WriteRune(p.r)
	}
	return b.String()
}

// What the patterns below have in common. The characters that join emoji and modify
// them have been left out before.
const (
	emoji     = `[\x{2300}-\x{23FF}\x{2600}-\x{27BF}\x{2B00}-\x{2BFF}\x{1F000}-\x{1FAFF}]\pM*`
	emojis    = emoji + `(?:[ \x{A0}]*` + emoji + `)*`
	emoticon  = `(?:[:;=][-'^]?(?:[)(]+|[DPpOo3v*|/\\])|<3+|\^_*\^+|T_T|-_+-)`
	emoticons = emoticon + `(?:\s+` + emoticon + `)*`
	listMark  = `^[ \t]*(?:\d{1,2}[.)]|[-*•·+–—])[ \t\x{A0}]+`
)

var (
	hiddenInRespond = regexp.MustCompile(`(` + emojis + `)`)
	// An emoticon is one only with space around it: "10:30", "a=(b".
	hiddenInGrammar = regexp.MustCompile(`(?m)(?:^|\s)(` + emoticons + `)(?:\s|[.,!?]|$)|(` + emojis + `)|(` + listMark + `)`)
)

// typographic maps characters to the plain ones that NFKC does not find.
var typographic = map[rune]rune{
	'’': '\'', '‘': '\'', '‚': '\'', '‛': '\'', 'ʼ': '\'', 'ʻ': '\'', '´': '\'', '`': '\'', '′': '\'', '‹': '\'', '›': '\'',
	'“': '"', '”': '"', '„': '"', '‟': '"', '″': '"', '«': '"', '»': '"', '「': '"', '」': '"', '『': '"', '』': '"',
	'‐': '-', '‑': '-', '‒': '-', '–': '-', '—': '-', '―': '-', '−': '-', '－': '-',
	'。': '.', '｡': '.', '、': ',', '､': ',', '⁄': '/',
	'\u0085': '\n', '\u2028': '\n', '\u2029': '\n', '\v': '\n', '\f': '\n',
}

// plainOf returns the plain form of a text without what hidden matches.
func plainOf(text string, hidden *regexp.Regexp) []plainRune {
	text, index := visible(text)
	p := plainer{text: text}
	if hidden != nil {
		for _, groups := range hidden.FindAllStringSubmatchIndex(text, -1) {
			for i := 2; i < len(groups); i += 2 {
				if groups[i] >= 0 {
					p.write(groups[i])
					p.hide(groups[i+1])
				}
			}
		}
	}
	p.write(len(text))
	for i, r := range p.out {
		p.out[i].from, p.out[i].to = index[r.from], index[r.to-1]+1
	}
	return p.out
}

// visible returns a text without the characters that have no width, and where each of
// its code points was.
func visible(text string) (string, []int) {
	var b strings.Builder
	var index []int
	at := 0
	for _, r := range text {
		if !unicode.In(r, unicode.Cf, unicode.Variation_Selector) && r != keycap {
			b.WriteRune(r)
			index = append(index, at)
		}
		at++
	}
	return b.String(), index
}

// keycap is the mark that makes a key of a digit.
const keycap = '\u20e3'

// plainer converts a text from its beginning to its end.
type plainer struct {
	text string
	at   int // in bytes
	runs int // in code points
	out  []plainRune
}

// next returns the text up to end that is converted together: a letter with its
// marks, or a run of one kind of space or mark.
func (p *plainer) next(end int) string {
	rest := p.text[p.at:end]
	r, _ := utf8.DecodeRuneInString(rest)
	if same := runOf(r); same != nil {
		if n := strings.IndexFunc(rest, func(r rune) bool { return !same(r) }); n >= 0 {
			return rest[:n]
		}
		return rest
	}
	return rest[:norm.NFKC.NextBoundaryInString(rest, true)]
}

// runOf returns which characters belong to a run that begins with r; nil if r does
// not begin one.
func runOf(r rune) func(rune) bool {
	switch {
	case isBlank(r):
		return isBlank
	case isEnd(r):
		return isEnd
	}
	return nil
}

// isBlank reports whether r is a space that does not end a line.
func isBlank(r rune) bool {
	return r == ' ' || r == '\t' || unicode.Is(unicode.Zs, r)
}

// isEnd reports whether r is a mark that ends a sentence, or an ellipsis.
func isEnd(r rune) bool { return strings.ContainsRune(ends, r) }

// ends are the marks of which one stands for several in a row.
const ends = ".!?…。｡．！？‥‼⁇⁈⁉"

// write converts the text up to end.
func (p *plainer) write(end int) {
	for p.at < end {
		part := p.next(end)
		from := p.runs
		p.at += len(part)
		p.runs += utf8.RuneCountInString(part)
		for _, r := range p.plain(part) {
			p.out = append(p.out, plainRune{r, from, p.runs})
		}
	}
}

// plain returns the plain form of a part that ends at p.at.
func (p *plainer) plain(part string) string {
	first, size := utf8.DecodeRuneInString(part)
	switch {
	case isBlank(first):
		return " "
	case isEnd(first):
		return p.ending(part)
	case part == "\r" && strings.HasPrefix(p.text[p.at:], "\n"):
		return ""
	case size == len(part) && typographic[first] != 0:
		return string(typographic[first])
	}
	return strings.Map(func(r rune) rune {
		if plain := typographic[r]; plain != 0 {
			return plain
		}
		return r
	}, compatible(part))
}

// compatible returns a part in NFKC, but in NFC if NFKC makes several tokens of it, as
// of "½".
func compatible(part string) string {
	composed, plain := norm.NFC.String(part), norm.NFKC.String(part)
	signs := strings.ContainsFunc(plain, func(r rune) bool { return !inWord(r) && !unicode.IsMark(r) })
	if signs && utf8.RuneCountInString(plain) > utf8.RuneCountInString(composed) {
		return composed
	}
	return plain
}

// ending returns the mark that stands for a run of marks. An ellipsis within a
// sentence is a comma.
func (p *plainer) ending(run string) string {
	run = norm.NFKC.String(run)
	switch {
	case strings.Contains(run, "?"):
		return "?"
	case strings.Contains(run, "!"):
		return "!"
	case run == "." || run == "。":
		return "."
	case len(p.out) == 0:
		return ""
	}
	after, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(p.text[p.at:], isBlank))
	if unicode.IsLower(after) {
		return ","
	}
	return "."
}

// hide leaves out the text up to end, with one of the spaces around it. If it is
// between two words without a space, it is a space.
func (p *plainer) hide(end int) {
	from := p.runs
	p.runs += utf8.RuneCountInString(p.text[p.at:end])
	p.at = end
	last := len(p.out) - 1
	rest := p.text[end:]
	after, _ := utf8.DecodeRuneInString(rest)
	atStart := last < 0 || unicode.IsSpace(p.out[last].r)
	switch {
	case atStart && isBlank(after):
		blank := rest[:len(rest)-len(strings.TrimLeftFunc(rest, isBlank))]
		p.at += len(blank)
		p.runs += utf8.RuneCountInString(blank)
	case last >= 0 && p.out[last].r == ' ' && !inWord(after):
		p.out = p.out[:last]
	case !atStart && inWord(p.out[last].r) && inWord(after):
		p.out = append(p.out, plainRune{' ', from, p.runs})
	}
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
