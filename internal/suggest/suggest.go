// Package suggest finds the word that a misspelled one was meant to be.
package suggest

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the known word that differs least from word, or "" if all differ
// too much. Case does not count. Of several it returns the first in alphabetical
// order.
func Nearest(word string, known []string) string {
	best, bestDistance := "", len(word)/2+2
	for _, k := range known {
		d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(k), nil)
		if d < bestDistance || d == bestDistance && k < best {
			best, bestDistance = k, d
		}
	}
	return best
}

// DidYouMean returns the end of an error message about a word that is not known,
// for example `; did you mean "high"?`, or "" if no known word is near.
func DidYouMean(word string, known []string) string {
	if nearest := Nearest(word, known); nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return ""
}
