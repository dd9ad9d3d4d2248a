package tutor

import "slices"

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
		from, to := words(text[e.start:e.end]), words(e.replacement)
		if between := words(text[end:e.start]); i > 0 && len(between) < partGap {
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
// above.
func distance(from, to []string, was, is map[string]bool) float64 {
	row := make([]float64, len(to)+1)
	for j, b := range to {
		row[j+1] = row[j] + addedCost(b, was)
	}
	for _, a := range from {
		lost, above := lostCost(a, is), row[0]
		row[0] += lost
		for j, b := range to {
			cost := min(above+replacedCost(a, b), row[j+1]+lost, row[j]+addedCost(b, was))
			above, row[j+1] = row[j+1], cost
		}
	}
	return row[len(to)]
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
