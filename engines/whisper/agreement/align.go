package agreement

import (
	"strings"
	"unicode"

	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
)

// What it costs that a word is another one, or is missing. A difference of case or
// punctuation is half a difference.
const (
	likeCost  = 1
	otherCost = 2
)

// align finds how many words of a hypothesis tell again what was committed: those
// for which the edit distance to the committed words is the least. place maps the
// words of the hypothesis, and their end, to places in the text of the committed
// words and those that are not covered.
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
	// Back along the cheapest path; a committed word that the hypothesis lacks
	// belongs before the next one that it has.
	for i, j := m, covered; j > 0; {
		switch {
		case i > 0 && cost[i][j] == cost[i-1][j-1]+difference(committed[i-1], words[j-1]):
			i, j = i-1, j-1
			place[j] = i
		case i > 0 && cost[i][j] == cost[i-1][j]+otherCost:
			i--
		default:
			j--
			place[j] = i
		}
	}
	return covered, place
}

// distances has the edit distance of each prefix of a to each prefix of b.
func distances(a, b []transcript.Word) [][]int {
	cost := make([][]int, len(a)+1)
	for i := range cost {
		cost[i] = make([]int, len(b)+1)
		for j := range cost[i] {
			switch {
			case i == 0:
				cost[i][j] = j * otherCost
			case j == 0:
				cost[i][j] = i * otherCost
			default:
				cost[i][j] = min(cost[i-1][j-1]+difference(a[i-1], b[j-1]), cost[i-1][j]+otherCost, cost[i][j-1]+otherCost)
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
		return likeCost
	default:
		return otherCost
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
