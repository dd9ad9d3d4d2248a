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

// long is a timeout that is not reached unless something is broken.
const long = time.Minute

// newPhonemiser returns a Phonemiser whose child ends with the test.
func newPhonemiser(t *testing.T, environment ...string) *Phonemiser {
	t.Helper()
	p := New()
	p.environment = environment
	t.Cleanup(p.Close)
	return p
}

// pid returns the child's process id; 0 if there is none.
func (p *Phonemiser) pid() int {
	p.sem <- struct{}{}
	defer func() { <-p.sem }()
	if c := p.child.Load(); c != nil {
		return c.cmd.Process.Pid
	}
	return 0
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

// TestHostileText checks that texts that crash libespeak-ng 1.52 are translated or
// refused, and that the next text is translated.
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
		"invalid UTF-8": "\xff-a \x00-a",
		"hyphens":       strings.Repeat(",-ạ", 3000),
		"digits":        strings.Repeat("9", 5000),
	}
	for _, voice := range []string{"vi", "de", "hi", "en-us"} {
		for name, text := range texts {
			clauses, err := p.Translate(t.Context(), voice, text)
			switch {
			case err == nil && (len(clauses) == 0 || clauses[len(clauses)-1].To != len(text)):
				t.Errorf("%s, %s: the clauses do not cover the text", voice, name)
			case err != nil && !errors.Is(err, ErrUnreadable):
				t.Errorf("%s, %s: %v", voice, name, err)
			case err != nil && len(text) < 100:
				t.Errorf("%s, %s: %v; want no error for an ordinary text", voice, name, err)
			}
		}
		checkSays(t, p, "Hello", "həlˈoʊ")
	}
}

// TestCrash checks that a text that crashes the library is translated without its
// marks, or refused if its words crash it, and that the next text is translated.
func TestCrash(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	checkSays(t, p, "Hello ⚓", "həlˈoʊ")
	if _, err := p.Translate(t.Context(), "en-us", "Hello "+crash); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a text that always crashes: %v", err)
	}
	checkSays(t, p, "Hello", "həlˈoʊ")
}

// TestHang checks that a text on which the library hangs is refused.
func TestHang(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	checkSays(t, p, "Hello", "həlˈoʊ")
	p.timeout = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	if _, err := p.Translate(ctx, "en-us", hang); !errors.Is(err, ErrUnreadable) {
		t.Error(err)
	}
	p.timeout = textTimeout
	checkSays(t, p, "Hello", "həlˈoʊ")
}

// TestKilled checks that concurrent requests succeed when the child is killed, and
// when other requests crash it.
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
				t.Errorf("a text that crashes: %v", err)
			}
		}
	})
	for range 2 { // fewer times than a request has attempts
		if pid := p.pid(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended already
		}
		checkSays(t, p, "Hello", "həlˈoʊ")
	}
	group.Wait()
}

// TestCancel checks that a cancelled request returns at once although the child
// hangs, and that the next request is answered by a new child.
func TestCancel(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	checkSays(t, p, "Hello", "həlˈoʊ")
	p.timeout = 2 * time.Second
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
			t.Error(err)
		}
	case <-time.After(long):
		t.Fatal("the cancelled request does not return")
	}
	checkSays(t, p, "Hello", "həlˈoʊ")
}

// TestEndsWithParent checks that a child that hangs in the library ends when its
// parent is killed.
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
			t.Fatalf("the child %d is still running", pid)
		}
	}
}

// running reports whether a process exists and is not a zombie. An orphan may remain
// a zombie if no process reaps it.
func running(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(data, []byte(") Z "))
}

// TestEndOfRequests checks that a child that hangs ends when its input is closed,
// without a signal of the kernel.
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
		t.Error("the child is still running")
	}
}

// TestClose checks that Close ends and reaps the child, even if the library hangs,
// and that the next text is translated.
func TestClose(t *testing.T) {
	p := newPhonemiser(t, role+"=fragile")
	p.Close()
	for _, busy := range []bool{false, true} {
		checkSays(t, p, "Hello", "həlˈoʊ")
		child := p.pid()
		if busy {
			ctx, cancel := context.WithCancel(t.Context())
			cancelled := make(chan struct{})
			go func() {
				defer close(cancelled)
				_, _ = p.Translate(ctx, "en-us", hang) // cancelled
			}()
			for len(p.sem) == 0 { // until the child has the text
				time.Sleep(time.Millisecond)
			}
			cancel()
			<-cancelled
		}
		p.Close()
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", child)); err == nil {
			t.Errorf("busy %v: the child %d is left", busy, child)
		}
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

// TestSanitise checks that hyphens that crash the library become spaces, and that
// those inside words and numbers are kept.
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
	if got, want := wordsOnly("“Hi”, x.y: -a!").text, "   Hi   , x y:  a!"; got != want {
		t.Errorf("wordsOnly returns %q, want %q", got, want)
	}
}

// TestRestore checks that the offsets of clauses are those of the original text.
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
		t.Error("the clauses do not cover the text")
	}
	for at, i := 0, 0; i < len(parts); i++ {
		if at += len(parts[i]); !slices.Contains(ends, at) {
			t.Errorf("no clause ends with part %d, at %d: %v", i, at, ends)
		}
	}
}

// TestFrames checks that invalid messages of a damaged child are refused.
func TestFrames(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "incomplete header": "\x00\x00", "too long": "\xff\xff\xff\xff{}", "incomplete": "\x00\x00\x00\x09{}", "not JSON": "\x00\x00\x00\x02}{",
	} {
		if err := readFrame(strings.NewReader(data), &response{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, clauses := range map[string][]phonemes.Translation{
		"none": nil, "a gap": {{From: 1, To: 3}}, "backwards": {{From: 0, To: 2}, {From: 2, To: 1}}, "beyond": {{From: 0, To: 4}}, "short": {{From: 0, To: 2}},
	} {
		if covers(response{Clauses: clauses}, "abc") {
			t.Errorf("%s: accepted", name)
		}
	}
}
