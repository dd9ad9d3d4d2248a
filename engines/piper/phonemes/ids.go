package phonemes

import (
	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// IDs are a sentence as a voice takes it.
type IDs struct {
	// Values are the ids: ^ _ p1 _ p2 _ … pn _ $, a pad behind each but the last.
	Values []int64
	// Of has, for each id, the index of its symbol in the sentence; -1 for those
	// of the beginning and the end.
	Of []int
	// Unknown are the symbols that the voice has no id for, each once. They are
	// left out, with their pads.
	Unknown []string
	// Spoken is how many symbols are not left out.
	Spoken int
}

// ToIDs maps the symbols of a sentence.
func ToIDs(voice *voicefile.Config, symbols []string) IDs {
	var out IDs
	pad := voice.IDs[voicefile.Pad]
	add := func(index int, ids ...[]int64) {
		for _, some := range ids {
			for _, id := range some {
				out.Values = append(out.Values, id)
				out.Of = append(out.Of, index)
			}
		}
	}
	add(-1, voice.IDs[voicefile.Begin], pad)
	missing := map[string]bool{}
	for i, symbol := range symbols {
		known := lookup(voice, symbol)
		if known == nil {
			if !missing[symbol] {
				missing[symbol] = true
				out.Unknown = append(out.Unknown, symbol)
			}
			continue
		}
		for _, ids := range known {
			add(i, ids, pad)
		}
		out.Spoken++
	}
	add(-1, voice.IDs[voicefile.End])
	return out
}

// lookup returns the ids of a symbol; nil if it has none. One that is written in
// one code point where the voice has two, as a user may, is taken apart.
func lookup(voice *voicefile.Config, symbol string) [][]int64 {
	if ids, ok := voice.IDs[symbol]; ok {
		return [][]int64{ids}
	}
	apart := norm.NFD.String(symbol)
	if apart == symbol {
		return nil
	}
	var all [][]int64
	for _, r := range apart {
		ids, ok := voice.IDs[string(r)]
		if !ok {
			return nil
		}
		all = append(all, ids)
	}
	return all
}
