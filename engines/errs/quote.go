package errs

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxQuoted is how much of a caller's input an error repeats, in characters.
	maxQuoted = 100
	// maxMessage bounds a whole message, in characters.
	maxMessage = 2000
)

// Shorten returns text that an error may repeat: its first 100 characters.
func Shorten(text string) string { return cut(text, maxQuoted) }

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	count := 0
	for i := range text {
		if count == limit {
			return text[:i] + "…"
		}
		count++
	}
	return text
}

// tidy returns a message without its reason in front, and with what it quotes
// shortened. Most of what an error repeats of a request is in double quotes.
func tidy(reason Reason, message string) string {
	message = strings.TrimPrefix(message, ReasonName(reason)+": ")
	return cut(shortenQuotes(message), maxMessage)
}

// shortenQuotes shortens what is in double quotes, as %q and protojson write it.
func shortenQuotes(message string) string {
	if len(message) <= maxQuoted {
		return message
	}
	var out strings.Builder
	for {
		before, quote, ok := strings.Cut(message, `"`)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		end, keep, count := 0, -1, 0
		for end < len(quote) && quote[end] != '"' {
			if count == maxQuoted && keep < 0 {
				keep = end
			}
			_, size := utf8.DecodeRuneInString(quote[end:])
			if quote[end] == '\\' {
				size = 2
			}
			end, count = min(end+size, len(quote)), count+1
		}
		if end == len(quote) { // the last quote is not closed
			out.WriteString(`"` + cut(quote, maxQuoted))
			return out.String()
		}
		if keep < 0 {
			out.WriteString(`"` + quote[:end] + `"`)
		} else {
			out.WriteString(`"` + quote[:keep] + `…"`)
		}
		message = quote[end+1:]
	}
}
