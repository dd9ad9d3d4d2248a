package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

const (
	// learnedRuns is how many runs are remembered: an unusual one is forgotten
	// after as many usual ones.
	learnedRuns = 5
	// learnedFiles limits the number of records on disk.
	learnedFiles = 256
	// learnedMaxBytes limits the size of a record's file.
	learnedMaxBytes = 64 << 10
	// learnedMaxLoad is the longest load time that is believed. Requests with earlier
	// deadlines are refused, so that no load would correct a wrong one.
	learnedMaxLoad = time.Hour
)

// record is what was learned from earlier runs of one file, engine and
// parameters. It is immutable once stored. Runs that served no request are not in it,
// unless they held more than the ones that did.
type record struct {
	// Key is the fingerprint.
	Key string `json:"key"`
	// PeakBytes are the highest measurements of the last runs.
	PeakBytes []int64 `json:"peak_bytes,omitempty"`
	// LoadSeconds are the last load times.
	LoadSeconds []float64 `json:"load_seconds,omitempty"`
	// Updated is when the last run ended or began.
	Updated time.Time `json:"updated"`
}

// peak is the highest peak of the remembered runs; 0 if none.
func (r record) peak() int64 {
	if len(r.PeakBytes) == 0 {
		return 0
	}
	return max(0, slices.Max(r.PeakBytes))
}

// enough is how many bytes are enough for a model that was estimated to need more; 0
// if too few runs are remembered. It leaves room for requests that need more than any
// before. If that is not enough, the model is charged what it is measured to hold, and
// the next load reserves it.
func (r record) enough(estimated int64) int64 {
	if len(r.PeakBytes) < learnedRuns {
		return 0
	}
	peak := r.peak()
	return max(peak+peak/4, estimated/2)
}

// loadTime is the median of the remembered load times; 0 if none.
func (r record) loadTime() time.Duration {
	if len(r.LoadSeconds) == 0 {
		return 0
	}
	var runs [learnedRuns]float64
	s := runs[:copy(runs[:], r.LoadSeconds)]
	slices.Sort(s)
	return time.Duration(max(0, s[len(s)/2]) * float64(time.Second))
}

// withPeak returns the record with one more run's peak.
func (r record) withPeak(bytes int64, now time.Time) record {
	r.PeakBytes = lastRuns(append(slices.Clone(r.PeakBytes), bytes))
	r.Updated = now
	return r
}

// withLoad returns the record with one more load time.
func (r record) withLoad(d time.Duration, now time.Time) record {
	r.LoadSeconds = lastRuns(append(slices.Clone(r.LoadSeconds), d.Seconds()))
	r.Updated = now
	return r
}

func lastRuns[T any](s []T) []T { return s[max(0, len(s)-learnedRuns):] }

// store keeps records in memory and, in the background, on disk: one JSON file
// per key, replaced atomically, the oldest deleted above learnedFiles. A file
// that cannot be read is ignored, and so are numbers in it that cannot be true.
type store struct {
	dir    string
	budget int64 // for all models
	logger *slog.Logger
	wake   chan struct{}

	mu    sync.Mutex
	cache map[string]record
	dirty map[string]record
}

func newStore(dir string, budget int64, logger *slog.Logger) *store {
	return &store{
		dir:    dir,
		budget: budget,
		logger: logger,
		wake:   make(chan struct{}, 1),
		cache:  map[string]record{},
		dirty:  map[string]record{},
	}
}

// get returns what is known of a key. It may read the disk.
func (s *store) get(key string) record {
	s.mu.Lock()
	r, ok := s.cache[key]
	s.mu.Unlock()
	if ok {
		return r
	}
	r = s.read(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if newer, ok := s.cache[key]; ok {
		return newer
	}
	s.cache[key] = r
	return r
}

// put stores a record in memory and requests that it be written. It does not
// block.
func (s *store) put(r record) {
	s.mu.Lock()
	s.cache[r.Key] = r
	if s.dir != "" {
		s.dirty[r.Key] = r
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes stored records until stop is closed, then the remaining ones.
func (s *store) run(stop <-chan struct{}) {
	s.removeUnfinished()
	for {
		select {
		case <-s.wake:
			s.flush()
		case <-stop:
			s.flush()
			return
		}
	}
}

// removeUnfinished deletes the temporary files that a killed server left. No other
// server writes here.
func (s *store) removeUnfinished() {
	if s.dir == "" {
		return
	}
	names, err := filepath.Glob(filepath.Join(s.dir, ".*.json*"))
	if err != nil {
		return // the directory's name has characters of a pattern
	}
	for _, n := range names {
		if err := os.Remove(n); err != nil {
			s.logger.Warn("an unfinished record of peak memory and load times cannot be deleted", "error", err)
		}
	}
}

func (s *store) flush() {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = map[string]record{}
	s.mu.Unlock()
	if len(dirty) == 0 {
		return
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		s.logger.Warn("the peak memory and load times of models cannot be stored", "error", err)
		return
	}
	for key, r := range dirty {
		data, err := json.MarshalIndent(r, "", "  ")
		if err == nil {
			err = renameio.WriteFile(s.path(key), append(data, '\n'), 0o644)
		}
		if err != nil {
			s.logger.Warn("the peak memory and load times of models cannot be stored", "error", err)
		}
	}
	s.prune()
}

// read returns the record on disk, or an empty one.
func (s *store) read(key string) record {
	empty := record{Key: key}
	if s.dir == "" {
		return empty
	}
	info, err := os.Stat(s.path(key))
	if err != nil || info.Size() > learnedMaxBytes {
		return empty
	}
	data, err := os.ReadFile(s.path(key))
	if err != nil {
		return empty
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.Key != key {
		s.logger.Warn("a record of peak memory and load times is unreadable and is ignored", "file", s.path(key), "error", err)
		return empty
	}
	found := len(r.PeakBytes) + len(r.LoadSeconds)
	// No worker may take more than the limit of a process that has the whole budget.
	r.PeakBytes = slices.DeleteFunc(r.PeakBytes, func(n int64) bool { return n <= 0 || n > hardLimit(s.budget) })
	r.LoadSeconds = slices.DeleteFunc(r.LoadSeconds, func(n float64) bool { return n < 0 || n > learnedMaxLoad.Seconds() })
	if found > len(r.PeakBytes)+len(r.LoadSeconds) {
		s.logger.Warn("a record has impossible peaks of memory or load times, which are ignored", "file", s.path(key))
	}
	r.PeakBytes, r.LoadSeconds = lastRuns(r.PeakBytes), lastRuns(r.LoadSeconds)
	return r
}

// prune deletes the oldest files above learnedFiles.
func (s *store) prune() {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil || len(names) <= learnedFiles {
		return
	}
	modified := make(map[string]time.Time, len(names))
	for _, n := range names {
		if info, err := os.Stat(n); err == nil {
			modified[n] = info.ModTime()
		}
	}
	slices.SortFunc(names, func(a, b string) int { return modified[a].Compare(modified[b]) })
	for _, n := range names[:len(names)-learnedFiles] {
		if err := os.Remove(n); err != nil {
			s.logger.Warn("an old record of peak memory and load times cannot be deleted", "error", err)
		}
	}
}

func (s *store) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])+".json")
}
