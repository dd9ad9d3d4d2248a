package tutor

import (
	"math"
	"slices"
	"strings"
)

// What it costs to turn the words of a text into those of its correction. Forms of
// one word are near to each other, and the small words of a sentence may change; a
// word that says something must be kept.
const (
	costForm       = 0.25 // another form of the word
	costMoved      = 0.75 // another place
	costSmallAdded = 0.25
	costSmall      = 0.5 // a small word instead of another one
	costSmallLost  = 0.75
	costAdded      = 1
	costOther      = 1.25 // a word that is lost, or that becomes an unrelated one
)

// A correction may cost textCost and wordCost for each word of the text, and each part
// that it changes partCost and wordCost for each of its words. So a short text keeps
// nearly all of its words, and a long one each of its sentences.
const (
	textCost = 0.4
	partCost = 1.5
	wordCost = 0.3
)

const (
	// partGap is how many words between two edits make two parts of them.
	partGap = 4
	// maxPart is the number of words from which on a part is no correction.
	maxPart = 200
)

// concerns reports whether a correction keeps most words of the text, in their order.
func concerns(text []token, edits []edit, after []token) bool {
	was, is := knownWords(words(text)), knownWords(words(after))
	total := 0.0
	for _, p := range parts(text, edits) {
		if len(p.from) > maxPart || len(p.to) > maxPart {
			return false
		}
		cost := distance(p.from, p.to, was, is)
		if cost > partCost+wordCost*float64(len(p.from)) {
			return false
		}
		total += cost
	}
	return total <= textCost+wordCost*float64(len(words(text)))
}

// part is a stretch of a text that is changed, and what it becomes.
type part struct{ from, to []string }

// parts joins the edits between which there are few words: how words were moved shows
// in both of them.
func parts(text []token, edits []edit) []part {
	var out []part
	end := 0 // of the last edit
	for i, e := range edits {
		from, to := spelledOut(words(text[e.start:e.end])), spelledOut(words(e.replacement))
		if between := spelledOut(words(text[end:e.start])); i > 0 && len(between) < partGap {
			last := &out[len(out)-1]
			last.from = slices.Concat(last.from, between, from)
			last.to = slices.Concat(last.to, between, to)
		} else {
			out = append(out, part{from, to})
		}
		end = e.end
	}
	return out
}

// distance returns the edit distance from one list of words to another, with the costs
// above. Two words may be written as one: "a lot" and "alot".
func distance(from, to []string, was, is map[string]bool) float64 {
	table := make([][]float64, len(from)+1)
	for i := range table {
		table[i] = make([]float64, len(to)+1)
		for j := range table[i] {
			if i == 0 && j == 0 {
				continue
			}
			cost := math.Inf(1)
			if i > 0 {
				cost = min(cost, table[i-1][j]+lostCost(from[i-1], is))
			}
			if j > 0 {
				cost = min(cost, table[i][j-1]+addedCost(to[j-1], was))
			}
			if i > 0 && j > 0 {
				cost = min(cost, table[i-1][j-1]+replacedCost(from[i-1], to[j-1]))
			}
			if i > 1 && j > 0 && sameLetters(from[i-2]+from[i-1], to[j-1]) {
				cost = min(cost, table[i-2][j-1]+costForm)
			}
			if i > 0 && j > 1 && sameLetters(from[i-1], to[j-2]+to[j-1]) {
				cost = min(cost, table[i-1][j-2]+costForm)
			}
			if i > 0 && j > 2 && sameLetters(from[i-1], to[j-3]+to[j-2]+to[j-1]) {
				cost = min(cost, table[i-1][j-3]+costForm) // "6am" and "6 a.m."
			}
			table[i][j] = cost
		}
	}
	return table[len(from)][len(to)]
}

// sameLetters reports whether two words have the same letters, whatever is between them.
func sameLetters(a, b string) bool {
	letters := strings.NewReplacer("'", "", "-", "")
	return letters.Replace(a) == letters.Replace(b)
}

// spelledOut returns words with those that a contraction or an abbreviation of chats
// stands for.
func spelledOut(list []string) []string {
	var out []string
	for _, w := range list {
		if long := phrases[w]; long != nil {
			out = append(out, long...)
			continue
		}
		base, ending, found := strings.Cut(w, "'")
		switch long := endings[ending]; {
		case found && w == "can't", found && w == "won't":
			out = append(out, map[string]string{"can't": "can", "won't": "will"}[w], "not")
		case found && strings.HasSuffix(base, "n") && ending == "t", found && ending == "nt":
			out = append(out, strings.TrimSuffix(base, "n"), "not")
		case found && long != "" && (ending != "s" || pronounIs[base]):
			out = append(out, base, long)
		default:
			out = append(out, w)
		}
	}
	return out
}

func addedCost(word string, was map[string]bool) float64 {
	switch {
	case was[word]:
		return costMoved / 2
	case isSmall(word):
		return costSmallAdded
	}
	return costAdded
}

func lostCost(word string, is map[string]bool) float64 {
	switch {
	case is[word]:
		return costMoved / 2
	case isSmall(word):
		return costSmallLost
	}
	return costOther
}

func replacedCost(a, b string) float64 {
	switch {
	case a == b:
		return 0
	case fold(a) == fold(b) || sameWord(a, b):
		return costForm
	case isSmall(a) && isSmall(b): // their letters say nothing
		return costSmall
	case resembles(a, b):
		return costForm
	}
	return costOther
}
