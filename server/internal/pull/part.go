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

// span is a range of bytes: from Start, up to but without End.
type span struct{ Start, End int64 }

// part is a file that is being fetched, NAME.part, and the note beside it that
// says which of its ranges are on disk.
type part struct {
	root       *os.Root
	name       string // of the .part
	file       *os.File
	checkpoint int64

	saving sync.Mutex // one save at a time

	mu    sync.Mutex
	note  note
	dirty int64 // bytes since the last save
}

// note is the .part.json. What it lists was on disk before it was written.
type note struct {
	Version int    `json:"version"`
	Size    int64  `json:"size_bytes"`
	SHA256  string `json:"sha256,omitempty"`
	GitBlob string `json:"git_blob,omitempty"`
	// ETag is what the host of the bytes calls this very file.
	ETag string `json:"etag,omitempty"`
	Done []span `json:"done"`
}

const (
	noteVersion  = 1
	maxNoteBytes = 1 << 20
)

func partName(local string) string { return local + ".part" }
func noteName(local string) string { return partName(local) + ".json" }

// readNote returns what an earlier try left, empty if that was nothing or was for
// another file.
func readNote(root *os.Root, local string, want remote) note {
	empty := note{Version: noteVersion, Size: want.size, SHA256: want.sha256, GitBlob: want.gitBlob}
	if root == nil {
		return empty
	}
	f, err := openRegular(root, noteName(local), os.O_RDONLY)
	if err != nil {
		return empty
	}
	defer f.Close()
	var n note
	if decodeStrict(f, maxNoteBytes, &n) != nil {
		return empty
	}
	info, err := root.Lstat(partName(local))
	if err != nil || !info.Mode().IsRegular() {
		return empty
	}
	same := n.Version == noteVersion && n.Size == want.size && n.SHA256 == want.sha256 && n.GitBlob == want.gitBlob
	limit := min(info.Size(), want.size)
	if !same || slices.ContainsFunc(n.Done, func(s span) bool { return s.Start < 0 || s.Start >= s.End || s.End > limit }) {
		return empty
	}
	n.Done = merge(n.Done)
	return n
}

// openPart opens or makes the .part.
func openPart(root *os.Root, local string, n note, checkpoint int64) (*part, error) {
	p := &part{root: root, name: local, note: n, checkpoint: checkpoint}
	f, err := openRegular(root, partName(local), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, pathError(err, "%s cannot be written", partName(local))
	}
	p.file = f
	if len(n.Done) == 0 {
		err = f.Truncate(0)
	} else {
		err = f.Truncate(n.end())
	}
	if err != nil {
		return nil, errors.Join(pathError(err, "%s cannot be written", partName(local)), f.Close())
	}
	return p, nil
}

func (n note) end() int64 {
	if len(n.Done) == 0 {
		return 0
	}
	return n.Done[len(n.Done)-1].End
}

func (n note) doneBytes() int64 {
	var sum int64
	for _, s := range n.Done {
		sum += s.End - s.Start
	}
	return sum
}

func (p *part) doneBytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.note.doneBytes()
}

func (p *part) etag() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.note.ETag
}

// agree holds an answer's entity tag against the first one's.
func (p *part) agree(tag string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case tag == "" || tag == p.note.ETag:
		return nil
	case p.note.ETag == "":
		p.note.ETag = tag
		return nil
	}
	return errChanged
}

// forget begins again from nothing.
func (p *part) forget() error {
	p.mu.Lock()
	p.note.Done, p.note.ETag, p.dirty = nil, "", 0
	p.mu.Unlock()
	if err := p.file.Truncate(0); err != nil {
		return pathError(err, "%s cannot be written", partName(p.name))
	}
	return p.save()
}

// write puts bytes at their place, and now and then notes what is there.
func (p *part) write(b []byte, at int64) error {
	if _, err := p.file.WriteAt(b, at); err != nil {
		return pathError(err, "%s cannot be written", partName(p.name))
	}
	p.mu.Lock()
	p.note.Done = merge(append(p.note.Done, span{at, at + int64(len(b))}))
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

// save makes what was written last, and then notes it.
func (p *part) save() error {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	n := p.note
	n.Done = slices.Clone(n.Done)
	p.mu.Unlock()
	if err := p.file.Sync(); err != nil {
		return pathError(err, "%s cannot be written", partName(p.name))
	}
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := replace(p.root, noteName(p.name), text); err != nil {
		return pathError(err, "%s cannot be written", noteName(p.name))
	}
	return nil
}

// missing cuts what is not there yet into ranges of at most so many bytes.
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
	for _, s := range p.note.Done {
		gap(at, s.Start)
		at = s.End
	}
	gap(at, p.note.Size)
	return found
}

// publish gives the file its name.
func (p *part) publish() error {
	err := errors.Join(p.file.Chmod(0o644), p.file.Sync(), p.file.Close())
	if err == nil {
		err = p.root.Rename(partName(p.name), p.name)
	}
	if err == nil {
		err = syncDir(p.root, p.name)
	}
	if err != nil {
		return pathError(err, "%s cannot be put in place", p.name)
	}
	return dropFile(p.root, noteName(p.name))
}

// discard removes what turned out wrong.
func (p *part) discard() error {
	return errors.Join(p.file.Close(), dropFile(p.root, partName(p.name)), dropFile(p.root, noteName(p.name)))
}

func dropFile(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pathError(err, "%s cannot be removed", name)
	}
	return nil
}

// merge sorts ranges and joins those that touch.
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

// MarshalJSON writes a range as two numbers.
func (s span) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{s.Start, s.End}) }

// UnmarshalJSON reads two numbers.
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
