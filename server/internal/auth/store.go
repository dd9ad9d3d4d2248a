package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"sync"
	"time"
)

// rereadInterval is how often the file of keys is looked at: a key that was revoked
// must end within 5 s.
const rereadInterval = time.Second

// entry is a key in use.
type entry struct {
	hash     string
	tokenKey ed25519.PublicKey // of its access tokens; nil: it has none
	expires  time.Time
	key      Key
	caller   *Caller
	end      context.CancelFunc // of the caller's calls
}

// store has the valid keys of a file, and follows its changes.
type store struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	mu   sync.RWMutex
	keys map[string]*entry // by id
	read fs.FileInfo       // of the file when it was last read
	told string            // the last problem in the log
}

// openStore reads the keys.
func openStore(path string, log *slog.Logger, now func() time.Time) (*store, error) {
	s := &store{path: path, log: log, now: now, keys: map[string]*entry{}}
	info, err := os.Stat(path)
	if err == nil {
		s.read = info
	}
	keys, err := ReadKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: \"modelgateway keys add NAME --keys-file %s\" makes it, with a first key", err, path)
	}
	if err != nil {
		return nil, err
	}
	s.replace(keys)
	return s, nil
}

// follow rereads the file when it has changed, and ends keys that expire, until ctx
// ends. If the file cannot be read, the keys stay as they are.
func (s *store) follow(ctx context.Context) {
	tick := time.NewTicker(rereadInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.refresh()
		case <-ctx.Done():
			return
		}
	}
}

func (s *store) refresh() {
	if err := s.reread(); err != nil {
		if s.told != err.Error() {
			s.log.Error("the file of API keys cannot be used; the keys that were read before stay valid", "error", err.Error())
		}
		s.told = err.Error()
	} else {
		s.told = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, e := range s.keys {
		if expired(e.expires, s.now()) {
			s.end(id)
		}
	}
}

// reread reads the file if it is not the one that was last read.
func (s *store) reread() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if s.read != nil && os.SameFile(info, s.read) && info.Size() == s.read.Size() && info.ModTime().Equal(s.read.ModTime()) {
		return nil
	}
	keys, err := ReadKeys(s.path)
	if err != nil {
		return err
	}
	s.read = info
	s.replace(keys)
	s.log.Info("read the file of API keys", "keys", len(keys))
	return nil
}

// replace makes these keys the valid ones. A key that did not change stays, with its
// calls; calls of the others end.
func (s *store) replace(keys []*Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := maps.Clone(s.keys)
	for _, k := range keys {
		if e, ok := old[k.ID]; ok && reflect.DeepEqual(e.key, *k) {
			delete(old, k.ID)
			continue
		}
		if _, ok := old[k.ID]; ok {
			s.end(k.ID)
			delete(old, k.ID)
		}
		public, _ := readTokenKey(k.TokenKey) // checked by ReadKeys
		valid, end := context.WithCancel(context.Background())
		s.keys[k.ID] = &entry{
			hash: k.Hash, tokenKey: public, expires: k.Expires, key: *k, end: end,
			caller: &Caller{
				ID: k.ID, Name: k.Name, Limits: k.Limits, Weight: k.Weight, rights: k.rights(), makesTokens: public != nil, valid: valid,
			},
		}
	}
	for id := range old {
		s.end(id)
	}
}

// end removes a key and ends its calls. The caller holds mu.
func (s *store) end(id string) {
	s.keys[id].end()
	delete(s.keys, id)
}

// find returns the caller with a key, nil if the key is not valid.
func (s *store) find(key string) *Caller {
	match := keyFormat.FindStringSubmatch(key)
	if match == nil {
		return nil
	}
	s.mu.RLock()
	e := s.keys[match[1]]
	s.mu.RUnlock()
	if e == nil || subtle.ConstantTimeCompare([]byte(hash(key)), []byte(e.hash)) != 1 || expired(e.expires, s.now()) {
		return nil
	}
	return e.caller
}
