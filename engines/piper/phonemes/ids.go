package phonemes

import (
	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// IDs are the ids of a sentence, the input of a voice.
type IDs struct {
	// Values are the ids ^ _ p1 _ p2 _ … pn _ $: each but the last is followed by
	// a pad.
	Values []int64
	// Of is, for each id, the index of its symbol in the sentence; -1 for the ids
	// of the beginning and the end.
	Of []int
	// Unknown lists the symbols without an id, each once. They are left out, with
	// their pads.
	Unknown []string
	// Spoken is the number of symbols that have an id.
	Spoken int
}

// ToIDs maps the symbols of a sentence to ids.
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

// lookup returns the ids of a symbol; nil if it has none. A symbol in composed form
// is decomposed if the voice has only its parts.
func lookup(voice *voicefile.Config, symbol string) [][]int64 {
	if ids, ok := voice.IDs[symbol]; ok {
		return [][]int64{ids}
	}
	parts := norm.NFD.String(symbol)
	if parts == symbol {
		return nil
	}
	var all [][]int64
	for _, r := range parts {
		ids, ok := voice.IDs[string(r)]
		if !ok {
			return nil
		}
		all = append(all, ids)
	}
	return all
}
