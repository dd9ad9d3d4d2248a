package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func flushed(t *testing.T, dir string, records ...record) *store {
	t.Helper()
	s := newStore(dir, 1000*mb, quiet())
	for _, r := range records {
		s.put(r)
	}
	s.flush()
	return s
}

func TestLearnedSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "learned")
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	flushed(t, dir, record{Key: "file|1|llama"}.withPeak(70*mb, now).withLoad(1500*time.Millisecond, now))
	got := newStore(dir, 1000*mb, quiet()).get("file|1|llama")
	if got.peak() != 70*mb || got.loadTime() != 1500*time.Millisecond || !got.Updated.Equal(now) {
		t.Errorf("got %+v", got)
	}
	if other := newStore(dir, 1000*mb, quiet()).get("file|2|llama"); other.peak() != 0 || other.Key != "file|2|llama" {
		t.Errorf("another key got %+v", other)
	}
}

func TestLearnedRemovesWhatAKilledServerLeft(t *testing.T) {
	dir := t.TempDir()
	kept := flushed(t, dir, record{Key: "a"}.withPeak(mb, time.Now())).path("a")
	// As renameio names a file until it is complete.
	left := filepath.Join(dir, "."+filepath.Base(kept)+"123456")
	if err := os.WriteFile(left, []byte(`{"key"`), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	close(stop)
	newStore(dir, 1000*mb, quiet()).run(stop)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the unfinished file: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("the record: %v", err)
	}
}

func TestLearnedToleratesCorruption(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	path := flushed(t, dir, record{Key: "a"}.withPeak(mb, now)).path("a")
	for name, content := range map[string][]byte{
		"empty":       {},
		"truncated":   []byte(`{"key":"a","peak_by`),
		"another key": []byte(`{"key":"b","peak_bytes":[5]}`),
		"huge":        make([]byte, learnedMaxBytes+1),
		"wrong type":  []byte(`{"key":"a","peak_bytes":"many"}`),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := newStore(dir, 1000*mb, quiet())
		if got := s.get("a"); got.peak() != 0 || got.Key != "a" {
			t.Errorf("%s: got %+v", name, got)
		}
		// The next run replaces it.
		s.put(s.get("a").withPeak(2*mb, now))
		s.flush()
		if got := newStore(dir, 1000*mb, quiet()).get("a"); got.peak() != 2*mb {
			t.Errorf("%s: not replaced: %+v", name, got)
		}
	}
}

// A record that can be parsed may still be wrong, for example after a disk failed or
// the folder came from another machine. It must neither reserve the whole budget nor
// refuse requests for their deadlines.
func TestLearnedIgnoresImpossibleNumbers(t *testing.T) {
	dir := t.TempDir()
	path := flushed(t, dir, record{Key: "a"}.withPeak(mb, time.Now())).path("a")
	for name, c := range map[string]struct {
		content string
		peak    int64
		load    time.Duration
	}{
		"far above the budget": {`"peak_bytes":[9223372036854775807]`, 0, 0},
		"one of several":       {`"peak_bytes":[1048576,1000000000000,2097152]`, 2 * mb, 0},
		"zero and negative":    {`"peak_bytes":[0,-5],"load_seconds":[-1,-1e300]`, 0, 0},
		"an absurd load time":  {`"peak_bytes":[1048576],"load_seconds":[1e300]`, mb, 0},
		"not for days":         {`"load_seconds":[86400,86400,2]`, 0, 2 * time.Second},
		"not a number":         {`"peak_bytes":[1048576],"load_seconds":[NaN]`, 0, 0},
		"beyond all numbers":   {`"peak_bytes":[1e30],"load_seconds":[1e999]`, 0, 0},
		"above, but possible":  {`"peak_bytes":[1200000000],"load_seconds":[3000]`, 1_200_000_000, 50 * time.Minute},
		"many":                 {`"peak_bytes":[9000000000,1,2,3,4,5,6]`, 6, 0},
	} {
		if err := os.WriteFile(path, []byte(`{"key":"a",`+c.content+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := newStore(dir, 1000*mb, quiet()).get("a"); got.Key != "a" || got.peak() != c.peak || got.loadTime() != c.load {
			t.Errorf("%s: peak %d, load time %s of %+v", name, got.peak(), got.loadTime(), got)
		}
	}
}

func TestLearnedForgetsUnusualRuns(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	r := record{Key: "a"}.withPeak(900*mb, now)
	for range learnedRuns - 1 {
		r = r.withPeak(100*mb, now)
	}
	if r.peak() != 900*mb {
		t.Errorf("forgotten too early: %d", r.peak())
	}
	if r = r.withPeak(100*mb, now); r.peak() != 100*mb {
		t.Errorf("still %d", r.peak())
	}
	r = r.withLoad(time.Second, now).withLoad(time.Minute, now).withLoad(2*time.Second, now)
	if r.loadTime() != 2*time.Second {
		t.Errorf("load time %s, want the median", r.loadTime())
	}
}

func TestLearnedIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := newStore(dir, 1000*mb, quiet())
	for i := range learnedFiles + 20 {
		s.put(record{Key: fmt.Sprint(i), PeakBytes: []int64{1}})
	}
	s.flush()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != learnedFiles {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestLearnedWithoutAWritableDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := flushed(t, dir, record{Key: "a", PeakBytes: []int64{7}})
	if s.get("a").peak() != 7 {
		t.Error("not even remembered in memory")
	}
}

// A server that has too many open files cannot read a model's file either; nothing is
// wrong with the file.
func TestSizeWithoutFileDescriptors(t *testing.T) {
	for name, c := range map[string]struct {
		cause error
		want  errs.Reason
	}{
		"process": {&os.PathError{Op: "open", Path: "/m", Err: syscall.EMFILE}, errs.MemoryBusy},
		"system":  {&os.PathError{Op: "open", Path: "/m", Err: syscall.ENFILE}, errs.MemoryBusy},
		"denied":  {&os.PathError{Op: "open", Path: "/m", Err: syscall.EACCES}, errs.ModelFileInvalid},
	} {
		s := lookUp(ModelSpec{Name: "m", Estimate: func() (int64, error) {
			return 0, errs.New(errs.ModelFileInvalid, "the file cannot be read").WithCause(c.cause)
		}}, newStore("", mb, quiet()))
		if errs.ReasonOf(s.err) != c.want {
			t.Errorf("%s: %v", name, s.err)
		}
	}
}
