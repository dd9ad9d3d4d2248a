package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func flushed(t *testing.T, dir string, records ...record) *store {
	t.Helper()
	s := newStore(dir, quiet())
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
	got := newStore(dir, quiet()).get("file|1|llama")
	if got.peak() != 70*mb || got.loadTime() != 1500*time.Millisecond || !got.Updated.Equal(now) {
		t.Errorf("got %+v", got)
	}
	if other := newStore(dir, quiet()).get("file|2|llama"); other.peak() != 0 || other.Key != "file|2|llama" {
		t.Errorf("another key got %+v", other)
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
		s := newStore(dir, quiet())
		if got := s.get("a"); got.peak() != 0 || got.Key != "a" {
			t.Errorf("%s: got %+v", name, got)
		}
		// The next run replaces it.
		s.put(s.get("a").withPeak(2*mb, now))
		s.flush()
		if got := newStore(dir, quiet()).get("a"); got.peak() != 2*mb {
			t.Errorf("%s: not replaced: %+v", name, got)
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
	s := newStore(dir, quiet())
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
