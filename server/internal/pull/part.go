package pull

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// span is a range of bytes from Start to End, without End.
type span struct{ Start, End int64 }

// part is a partial download, NAME.part, and its state, NAME.part.json.
type part struct {
	root       *os.Root
	name       string // of the complete file
	file       *os.File
	checkpoint int64

	saving sync.Mutex // serializes save

	mu    sync.Mutex
	state partState
	dirty int64 // bytes since the last save
}

// partState is the content of NAME.part.json. The ranges that it lists are synced
// to disk before it is written.
type partState struct {
	Version int    `json:"version"`
	Size    int64  `json:"size_bytes"`
	SHA256  string `json:"sha256,omitempty"`
	GitBlob string `json:"git_blob,omitempty"`
	// ETag is the entity tag of the download host.
	ETag string `json:"etag,omitempty"`
	Done []span `json:"done"`
}

const (
	stateVersion  = 1
	maxStateBytes = 1 << 20
)

func partName(local string) string  { return local + ".part" }
func stateName(local string) string { return partName(local) + ".json" }

// readState returns the state that an earlier pull left. It returns an empty state
// if there is none or if it belongs to a different file.
func readState(root *os.Root, local string, want remote) partState {
	empty := partState{Version: stateVersion, Size: want.size, SHA256: want.sha256, GitBlob: want.gitBlob}
	if root == nil {
		return empty
	}
	f, err := openRegular(root, stateName(local), os.O_RDONLY)
	if err != nil {
		return empty
	}
	defer f.Close()
	var s partState
	if decodeStrict(f, maxStateBytes, &s) != nil {
		return empty
	}
	info, err := root.Lstat(partName(local))
	if err != nil || !info.Mode().IsRegular() {
		return empty
	}
	same := s.Version == stateVersion && s.Size == want.size && s.SHA256 == want.sha256 && s.GitBlob == want.gitBlob
	limit := min(info.Size(), want.size)
	if !same || slices.ContainsFunc(s.Done, func(r span) bool { return r.Start < 0 || r.Start >= r.End || r.End > limit }) {
		return empty
	}
	s.Done = merge(s.Done)
	return s
}

// openPart opens or creates NAME.part.
func openPart(root *os.Root, local string, state partState, checkpoint int64) (*part, error) {
	p := &part{root: root, name: local, state: state, checkpoint: checkpoint}
	f, err := openRegular(root, partName(local), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, pathError(err, "cannot write %s", partName(local))
	}
	p.file = f
	if err := f.Truncate(state.end()); err != nil {
		return nil, errors.Join(pathError(err, "cannot write %s", partName(local)), f.Close())
	}
	return p, nil
}

// end returns the end of the last range on disk.
func (s partState) end() int64 {
	if len(s.Done) == 0 {
		return 0
	}
	return s.Done[len(s.Done)-1].End
}

func (s partState) doneBytes() int64 {
	var sum int64
	for _, r := range s.Done {
		sum += r.End - r.Start
	}
	return sum
}

func (p *part) doneBytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.doneBytes()
}

func (p *part) etag() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.ETag
}

// checkETag compares the entity tag of a response with that of the first one.
func (p *part) checkETag(tag string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case tag == "" || tag == p.state.ETag:
		return nil
	case p.state.ETag == "":
		p.state.ETag = tag
		return nil
	}
	return errChanged
}

// restart discards everything downloaded so far.
func (p *part) restart() error {
	p.mu.Lock()
	p.state.Done, p.state.ETag, p.dirty = nil, "", 0
	p.mu.Unlock()
	if err := p.file.Truncate(0); err != nil {
		return pathError(err, "cannot write %s", partName(p.name))
	}
	return p.save()
}

// write writes bytes at an offset, and saves the state from time to time.
func (p *part) write(b []byte, at int64) error {
	if _, err := p.file.WriteAt(b, at); err != nil {
		return pathError(err, "cannot write %s", partName(p.name))
	}
	p.mu.Lock()
	p.state.Done = merge(append(p.state.Done, span{at, at + int64(len(b))}))
	p.dirty += int64(len(b))
	due := p.dirty >= p.checkpoint
	if due {
		p.dirty = 0
	}
	p.mu.Unlock()
	if due {
		return p.save()
	}
	return nil
}

// save syncs the bytes to disk and then writes the state.
func (p *part) save() error {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	s := p.state
	s.Done = slices.Clone(s.Done)
	p.mu.Unlock()
	if err := p.file.Sync(); err != nil {
		return pathError(err, "cannot write %s", partName(p.name))
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := replace(p.root, stateName(p.name), text); err != nil {
		return pathError(err, "cannot write %s", stateName(p.name))
	}
	return nil
}

// missing returns the ranges that are not downloaded yet, each of at most chunk
// bytes.
func (p *part) missing(chunk int64) []span {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []span
	gap := func(from, to int64) {
		for ; from < to; from += chunk {
			found = append(found, span{from, min(from+chunk, to)})
		}
	}
	at := int64(0)
	for _, s := range p.state.Done {
		gap(at, s.Start)
		at = s.End
	}
	gap(at, p.state.Size)
	return found
}

// publish moves the part to the name of the file.
func (p *part) publish() error {
	err := errors.Join(p.file.Chmod(0o644), p.file.Sync(), p.file.Close())
	if err == nil {
		err = p.root.Rename(partName(p.name), p.name)
	}
	if err == nil {
		err = syncDir(p.root, p.name)
	}
	if err != nil {
		return pathError(err, "cannot move %s into place", p.name)
	}
	return dropFile(p.root, stateName(p.name))
}

// discard deletes the part and its state.
func (p *part) discard() error {
	return errors.Join(p.file.Close(), dropFile(p.root, partName(p.name)), dropFile(p.root, stateName(p.name)))
}

func dropFile(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pathError(err, "cannot remove %s", name)
	}
	return nil
}

// merge sorts ranges and joins adjacent ones.
func merge(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.Start, b.Start) })
	joined := spans[:1]
	for _, s := range spans[1:] {
		if last := &joined[len(joined)-1]; s.Start <= last.End {
			last.End = max(last.End, s.End)
		} else {
			joined = append(joined, s)
		}
	}
	return joined
}

// MarshalJSON encodes a range as two numbers.
func (s span) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{s.Start, s.End}) }

// UnmarshalJSON decodes two numbers.
func (s *span) UnmarshalJSON(text []byte) error {
	var pair []int64
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a range has two numbers, not %d", len(pair))
	}
	s.Start, s.End = pair[0], pair[1]
	return nil
}
