package hubert

import (
	"os"
	"path/filepath"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// ship is a file with "The old ship is in the harbour.", spoken by flite's voice rms.
const ship = "ship.wav"

// recorded scores the recording against a text and returns the words.
func recorded(t *testing.T, m *model, text string) []*gatewayv1.PronouncedWord {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", ship))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := m.Pronunciation(t.Context(), &gatewayv1.PronunciationRequest{ReferenceText: text, Audio: data})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%q: %s, %.0f", text, summary(resp), resp.GetOverallScore())
	return resp.GetWords()
}

// TestStarterDistinguishesWords checks that the starter model distinguishes a word
// that was said from similar words, and from a word that was not said.
func TestStarterDistinguishesWords(t *testing.T) {
	m := load(t, starter, nil)
	right := recorded(t, m, "The old ship is in the harbour.")
	for _, other := range []string{"sheep", "chip", "shop"} {
		if wrong := recorded(t, m, "The old "+other+" is in the harbour."); wrong[2].GetScore() >= right[2].GetScore()-10 {
			t.Errorf("ship is scored %v, and %v if the text has %q", right[2].GetScore(), wrong[2].GetScore(), other)
		}
	}
	omitted := recorded(t, m, "The old ship is always in the harbour.")
	for i, w := range omitted {
		missing := w.GetErrorType() == gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_OMISSION
		if missing != (i == 4) {
			t.Errorf("word %d, %q, has the error %v", i, w.GetText(), w.GetErrorType())
		}
	}
}
