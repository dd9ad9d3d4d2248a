package agreement

import (
	"strings"
	"unicode"

	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
)

// Costs of the edit distance. caseCost is that of a word that differs only in case or
// punctuation, wordCost that of a different or missing word.
const (
	caseCost = 1
	wordCost = 2
)

// align returns how many words of a hypothesis repeat the committed ones: the number
// with the smallest edit distance to them. place maps the index of each word of the
// hypothesis, and the end of the last, to an index in the text that consists of the
// committed words and the remaining words of the hypothesis.
func align(committed, words []transcript.Word) (covered int, place []int) {
	m, n := len(committed), len(words)
	cost := distances(committed, words)
	for j := range n + 1 {
		if c, best := cost[m][j], cost[m][covered]; c < best || c == best && distance(j, m) < distance(covered, m) {
			covered = j
		}
	}
	place = make([]int, n+1)
	for j := covered; j <= n; j++ {
		place[j] = m + j - covered
	}
	// Follow the cheapest path back. A committed word that the hypothesis lacks
	// belongs before the next word of the hypothesis.
	for i, j := m, covered; j > 0; {
		switch {
		case i > 0 && cost[i][j] == cost[i-1][j-1]+difference(committed[i-1], words[j-1]):
			i, j = i-1, j-1
			place[j] = i
		case i > 0 && cost[i][j] == cost[i-1][j]+wordCost:
			i--
		default:
			j--
			place[j] = i
		}
	}
	return covered, place
}

// Difference returns the share of the words that differ between two transcripts of the
// same audio, relative to the first; 0 if they are equal. It may be more than 1.
func Difference(first, second []transcript.Word) float64 {
	cost := distances(first, second)[len(first)][len(second)]
	return float64(cost) / float64(wordCost*max(1, len(first)))
}

// distances returns the edit distances of all prefixes of a to all prefixes of b.
func distances(a, b []transcript.Word) [][]int {
	cost := make([][]int, len(a)+1)
	for i := range cost {
		cost[i] = make([]int, len(b)+1)
		for j := range cost[i] {
			switch {
			case i == 0:
				cost[i][j] = j * wordCost
			case j == 0:
				cost[i][j] = i * wordCost
			default:
				cost[i][j] = min(cost[i-1][j-1]+difference(a[i-1], b[j-1]), cost[i-1][j]+wordCost, cost[i][j-1]+wordCost)
			}
		}
	}
	return cost
}

func difference(a, b transcript.Word) int {
	switch {
	case a.Text == b.Text:
		return 0
	case letters(a.Text) == letters(b.Text):
		return caseCost
	default:
		return wordCost
	}
}

func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

func distance(a, b int) int { return max(a-b, b-a) }
