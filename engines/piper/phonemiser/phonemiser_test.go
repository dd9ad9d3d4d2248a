package phonemiser

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

// long bounds what must happen at some time.
const long = time.Minute

// newPhonemiser returns one whose child ends with the test.
func newPhonemiser(t *testing.T, environment ...string) *Phonemiser {
	t.Helper()
	p := New()
	p.environment = environment
	t.Cleanup(func() {
		p.turn <- struct{}{}
		if p.child != nil {
			p.child.end()
		}
	})
	return p
}

// pid is that of the child; 0 if there is none.
func (p *Phonemiser) pid() int {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if p.child == nil {
		return 0
	}
	return p.child.cmd.Process.Pid
}

func spoken(clauses []phonemes.Translation) string {
	var all []string
	for _, c := range clauses {
		all = append(all, c.Phonemes)
	}
	return strings.Join(all, " ")
}

func checkSays(t *testing.T, p *Phonemiser, text, want string) {
	t.Helper()
	clauses, err := p.Translate(t.Context(), "en-us", text)
	if got := spoken(clauses); err != nil || got != want {
		t.Errorf("%.40q is %q, %v; want %q", text, got, err, want)
	}
}

// TestHostileText: texts that crash libespeak-ng 1.52 in the voices of those who
// use them, and others, are read or refused, and the text behind them is read.
func TestHostileText(t *testing.T) {
	p := newPhonemiser(t)
	texts := map[string]string{
		"dialogue":      `Anh nói: "-Chào".`,
		"quote":         `"-a`,
		"bracket":       `(-a)`,
		"comma":         `,-a`,
		"dots":          `...-a`,
		"speech":        `"-Chào anh", cô nói.`,
		"dotted letter": `,-ạ`,
		"footnote":      `nước²-ệ`,
		"soft hyphen":   ":-\u00adM",
		"mark":          ",-\u0301a",
		"backtick":      "-b,`.",
		"a long word":   strings.Repeat("अनुच्छेद", 170),
		"mixed":         strings.Repeat("अनुच्छेदßé字", 120),
		"one letter":    strings.Repeat("a", 50_000),
		"marks":         "a" + strings.Repeat("\u0301", 10_000),
		"no UTF-8":      "\xff-a \x00-a",
		"hyphens":       strings.Repeat(",-ạ", 3000),
		"digits":        strings.Repeat("9", 5000),
	}
	for _, voice := range []string{"vi", "de", "hi", "en-us"} {
		for name, text := range texts {
			clauses, err := p.Translate(t.Context(), voice, text)
			switch {
			case err == nil && (len(clauses) == 0 || clauses[len(clauses)-1].To != len(text)):
				t.Errorf("%s, %s: the clauses are not the text's", voice, name)
			case err != nil && !errors.Is(err, ErrUnreadable):
				t.Errorf("%s, %s: %v", voice, name, err)
			case err != nil && len(text) < 100:
				t.Errorf("%s, %s: %v; an ordinary text is read", voice, name, err)
			}
		}
		checkSays(t, p, "Hello", "həlˈoʊ")
	}
}

// TestCrash: a text that crashes the library is read without its marks, or
// refused if its words do it; either way the next text is read.
func TestCrash(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	checkSays(t, p, "Hello ⚓", "həlˈoʊ")
	if _, err := p.Translate(t.Context(), "en-us", "Hello "+crash); !errors.Is(err, ErrUnreadable) {
		t.Errorf("what crashes it always ends with %v", err)
	}
	checkSays(t, p, "Hello", "həlˈoʊ")
}

// TestHang: a text that the library does not come to an end with is given up.
func TestHang(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	checkSays(t, p, "Hello", "həlˈoʊ")
	p.patience = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	if _, err := p.Translate(ctx, "en-us", hang); !errors.Is(err, ErrUnreadable) {
		t.Errorf("it ended with %v", err)
	}
	p.patience = patience
	checkSays(t, p, "Hello", "həlˈoʊ")
}

// TestKilled: requests at once are unharmed when the child is killed from outside,
// and when others send what crashes it.
func TestKilled(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	checkSays(t, p, "Hello", "həlˈoʊ")
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for range 30 {
				checkSays(t, p, "One, two.", "wˌʌn tˈuː")
			}
		})
	}
	group.Go(func() {
		for range 3 {
			if _, err := p.Translate(t.Context(), "en-us", crash); !errors.Is(err, ErrUnreadable) {
				t.Errorf("what crashes it ends with %v", err)
			}
		}
	})
	for range 2 { // each request has more attempts
		if pid := p.pid(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // another may have ended it
		}
		checkSays(t, p, "Hello", "həlˈoʊ")
	}
	group.Wait()
}

// TestCancel: a cancelled request ends at once, though the child hangs; the
// request behind it is answered when the child was replaced.
func TestCancel(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	checkSays(t, p, "Hello", "həlˈoʊ")
	p.patience = 2 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := p.Translate(ctx, "en-us", hang)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(long):
		t.Fatal("it does not end")
	}
	checkSays(t, p, "Hello", "həlˈoʊ")
}

// TestEndsWithParent: a child that hangs in the library ends when the process
// that started it is killed.
func TestEndsWithParent(t *testing.T) {
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), role+"=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parent.Process.Kill() }()
	var pid int
	if _, err := fmt.Fscanln(bufio.NewReader(out), &pid); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	for begin := time.Now(); running(pid); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > long {
			t.Fatalf("the child %d lives on", pid)
		}
	}
}

// running tells whether there is a process that is no zombie: nobody may be there
// to reap an orphan.
func running(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(data, []byte(") Z "))
}

// TestEndOfRequests: a child that hangs ends when nobody can ask it any more, also
// where the kernel sends no signal.
func TestEndOfRequests(t *testing.T) {
	c, err := startChild(long, role+"=fragile")
	if err != nil {
		t.Fatal(err)
	}
	defer c.end()
	if err := writeFrame(c.requests, request{Voice: "en-us", Text: hang}); err != nil {
		t.Fatal(err)
	}
	if err := c.requests.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.ended:
	case <-time.After(long):
		t.Error("it lives on")
	}
}

func TestCheckVoice(t *testing.T) {
	p := newPhonemiser(t)
	if err := p.CheckVoice(t.Context(), "vi"); err != nil {
		t.Error(err)
	}
	for _, voice := range []string{"", "klingonese", "../../../etc/passwd", "en\x00us"} {
		if err := p.CheckVoice(t.Context(), voice); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", voice, err)
		}
	}
	empty := t.TempDir()
	for _, folder := range []string{empty, filepath.Join(empty, "absent")} {
		without := newPhonemiser(t, "MG_ESPEAK_DATA="+folder)
		if err := without.CheckVoice(t.Context(), "vi"); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("without data in %s: %v", folder, err)
		}
	}
}

// TestSanitise: what crashes the library becomes a space, what is part of a word
// or number stays.
func TestSanitise(t *testing.T) {
	for text, want := range map[string]string{
		`"-Chào".`: `" Chào".`, "--a": "- a", "-5": "-5", "a-b": "a-b", "a\u0301-b": "a\u0301-b", "9-a": "9-a",
		"²-é": "² é", "\ufe0f-p": "\ufe0f p", "/-\u094d": "/ \u094d", ":-\u00ada": ": \u00ada",
		"x - a": "x - a", "": "", "-": "-", strings.Repeat("字", 201): strings.Repeat("字", 200) + " 字",
	} {
		if got := sanitise(text).text; got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got, want := plain("“Hi”, x.y: -a!").text, "   Hi   , x y:  a!"; got != want {
		t.Errorf("plain is %q, want %q", got, want)
	}
}

// TestRestore: clauses lie where they do in the user's text.
func TestRestore(t *testing.T) {
	p := newPhonemiser(t)
	parts := []string{strings.Repeat("ab", 300) + ", ", "\"-a\"; ", strings.Repeat("é", 450) + "."}
	text := strings.Join(parts, "")
	clauses, err := p.Translate(t.Context(), "en-us", text)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	var ends []int
	for _, c := range clauses {
		got.WriteString(text[c.From:c.To])
		ends = append(ends, c.To)
	}
	if got.String() != text {
		t.Error("the clauses are not the whole text")
	}
	for at, i := 0, 0; i < len(parts); i++ {
		if at += len(parts[i]); !slices.Contains(ends, at) {
			t.Errorf("no clause ends with part %d, at %d: %v", i, at, ends)
		}
	}
}

// TestFrames: lengths from a damaged child are not trusted.
func TestFrames(t *testing.T) {
	for name, data := range map[string]string{
		"nothing": "", "half a head": "\x00\x00", "too long": "\xff\xff\xff\xff{}", "cut": "\x00\x00\x00\x09{}", "no JSON": "\x00\x00\x00\x02}{",
	} {
		if err := readFrame(strings.NewReader(data), &response{}); err == nil {
			t.Errorf("%s is a message", name)
		}
	}
	for name, clauses := range map[string][]phonemes.Translation{
		"none": nil, "a gap": {{From: 1, To: 3}}, "backwards": {{From: 0, To: 2}, {From: 2, To: 1}}, "beyond": {{From: 0, To: 4}}, "short": {{From: 0, To: 2}},
	} {
		if covers(response{Clauses: clauses}, "abc") {
			t.Errorf("%s covers the text", name)
		}
	}
}
