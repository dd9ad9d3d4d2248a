package espeak

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// library is the only Library of the process.
var library *Library

func TestMain(m *testing.M) {
	var err error
	if library, err = Open(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestClauses checks phonemes and terminators of clauses, and that their texts
// joined are the whole text.
func TestClauses(t *testing.T) {
	text := "Hello, world! How are you?  Fine: \"really\"; so\n\nNext “day”…"
	clauses, err := library.Clauses(t.Context(), "en-us", text)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	at := 0
	for _, c := range clauses {
		if c.From != at {
			t.Errorf("a clause begins at %d, the one before it ends at %d", c.From, at)
		}
		at = c.To
		parts = append(parts, text[c.From:c.To])
	}
	want := []string{"Hello, ", "world! ", "How are you?  ", "Fine: ", "\"really\"; ", "so\n\n", "Next “day”…"}
	if fmt.Sprintf("%q", parts) != fmt.Sprintf("%q", want) || at != len(text) {
		t.Errorf("the clauses are %q", parts)
	}
	if first := clauses[0]; first.Phonemes != "həlˈoʊ" || first.Terminator&0xfffff != 0x41014 {
		t.Errorf("the first clause is %+v", first)
	}
}

// TestHostileText checks that unusual texts do not stop the library and do not
// affect the next text.
func TestHostileText(t *testing.T) {
	for name, text := range map[string]string{
		"empty":         "",
		"spaces":        " \t\n\r ",
		"NUL":           "one\x00two\x00",
		"invalid UTF-8": "\xff\xfe caf\xe9 \xf0\x9f",
		"emoji":         "😀 🎉 👩‍👩‍👧‍👦",
		"marks":         strings.Repeat("!?.,;:…", 2000),
		"one long word": strings.Repeat("a", 50_000),
		"no spaces":     strings.Repeat("字", 20_000),
		"markup":        "<speak><voice name=\"de\">[[h@l@U]] &#x0; </speak>",
		"combining":     "a" + strings.Repeat("\u0301", 10_000),
		"right to left": "\u202eabc\u202c مرحبا",
		"numbers":       strings.Repeat("9", 5000) + " 1e309 -0 ٣٤٥",
	} {
		clauses, err := library.Clauses(t.Context(), "en-us", text)
		if err != nil || len(clauses) == 0 || clauses[len(clauses)-1].To != len(text) {
			t.Errorf("%s: %v, %v", name, clauses, err)
		}
		checkHello(t)
	}
}

func checkHello(t *testing.T) {
	t.Helper()
	clauses, err := library.Clauses(t.Context(), "en-us", "Hello")
	if err != nil || len(clauses) != 1 || clauses[0].Phonemes != "həlˈoʊ" {
		t.Errorf("Hello is %+v, %v", clauses, err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := library.Clauses(ctx, "en-us", "One, two, three. Four"); err == nil {
		t.Error("a cancelled call returns no error")
	}
	checkHello(t)
}

// TestConcurrent checks that voices and texts of concurrent calls do not mix.
func TestConcurrent(t *testing.T) {
	want := map[string]string{"en-us": "ðə kˈæt", "vi": "mˈo6t hˈaːj"}
	texts := map[string]string{"en-us": "The cat", "vi": "Một hai"}
	for voice := range want {
		clauses, err := library.Clauses(t.Context(), voice, texts[voice])
		if err != nil {
			t.Fatal(err)
		}
		want[voice] = clauses[0].Phonemes
	}
	var group sync.WaitGroup
	for range 4 {
		for voice, text := range texts {
			group.Go(func() {
				for range 50 {
					clauses, err := library.Clauses(t.Context(), voice, text)
					if err != nil || len(clauses) != 1 || clauses[0].Phonemes != want[voice] {
						t.Errorf("%s is %v, %v", text, clauses, err)
						return
					}
				}
			})
		}
	}
	group.Wait()
}

func TestCheckVoice(t *testing.T) {
	for _, voice := range []string{"en-us", "en-gb-x-rp", "vi", "cmn"} {
		if err := library.CheckVoice(voice); err != nil {
			t.Error(err)
		}
	}
	for _, voice := range []string{"", "klingonese", "../../../etc/passwd", "/etc/passwd", "en\x00us", strings.Repeat("x", 5000), "!v"} {
		if err := library.CheckVoice(voice); err == nil {
			t.Errorf("no error for the voice %.40q", voice)
		}
	}
	checkHello(t)
}
