package geminitest

import (
	"encoding/binary"
	"math"
)

// Greeting is Auto's answer in a conversation.
const Greeting = "Hello from the cloud."

// Transcript is Auto's transcript of any sound.
const Transcript = "hello world"

// Auto returns a valid answer to each task of the server: Greeting in a
// conversation, the unchanged text for grammar, a tone of one second for speech,
// Transcript for a sound, and fixed scores for pronunciation.
func Auto(r Request) Answer {
	properties, _ := r.Schema()["properties"].(map[string]any)
	switch {
	case r.Speech():
		return Sound("audio/L16;codec=pcm;rate=24000", Tone(24000, 1))
	case properties["corrected"] != nil:
		return Text(string(mustJSON(map[string]any{"corrected": r.LastText(), "notes": []any{}})))
	case properties["segments"] != nil:
		return Text(string(mustJSON(map[string]any{
			"language": "en",
			"segments": []any{map[string]any{"start_seconds": 0.1, "end_seconds": 0.9, "text": Transcript}},
		})))
	case properties["words"] != nil:
		return Text(string(mustJSON(map[string]any{
			"fluency": 80, "words": []any{
				map[string]any{"word": "hello", "said": true, "score": 90, "start_seconds": 0.1, "end_seconds": 0.4},
				map[string]any{"word": "world", "said": true, "score": 50, "start_seconds": 0.5, "end_seconds": 0.9},
			},
		})))
	default:
		return Text("Hello from ", "the cloud.")
	}
}

// Tone returns a sine of 440 Hz as signed 16-bit little-endian mono samples.
func Tone(rate int, seconds float64) []byte {
	n := int(float64(rate) * seconds)
	out := make([]byte, 0, 2*n)
	for i := range n {
		s := 8000 * math.Sin(2*math.Pi*440*float64(i)/float64(rate))
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(s))) //nolint:gosec // two's complement is intended
	}
	return out
}

// WAV returns a WAV file of samples in the format of Tone.
func WAV(rate int, samples []byte) []byte {
	le := binary.LittleEndian
	out := append([]byte("RIFF"), le.AppendUint32(nil, uint32(36+len(samples)))...) //nolint:gosec // a test's sound is short
	out = append(out, "WAVEfmt "...)
	out = le.AppendUint32(out, 16)
	out = le.AppendUint16(out, 1)
	out = le.AppendUint16(out, 1)
	out = le.AppendUint32(out, uint32(rate))   //nolint:gosec // a sample rate
	out = le.AppendUint32(out, uint32(2*rate)) //nolint:gosec // a sample rate
	out = le.AppendUint16(out, 2)
	out = le.AppendUint16(out, 16)
	out = append(out, "data"...)
	out = le.AppendUint32(out, uint32(len(samples))) //nolint:gosec // a test's sound is short
	return append(out, samples...)
}
