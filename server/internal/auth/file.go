package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

const (
	// maxFileBytes and maxKeys bound the file of keys.
	maxFileBytes = 8 << 20
	maxKeys      = 10_000
	// fileMode lets only the server's user read the keys' names and rights.
	fileMode = 0o600
	header   = "# API keys of ModelGateway. Written by \"modelgateway keys\"; the server rereads it when it changes.\n" +
		"# It has only the hashes of the keys.\n"
)

// keyFile is the form of the file.
type keyFile struct {
	Keys []*Key `yaml:"keys"`
}

// ReadKeys reads a file of keys. A file that does not exist is an error, which is
// fs.ErrNotExist.
func ReadKeys(path string) ([]*Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the file of API keys: %w", err)
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("the file of API keys %s has %d bytes: at most %d are possible", path, info.Size(), maxFileBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the file of API keys: %w", err)
	}
	var file keyFile
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil && len(bytes.TrimSpace(text)) > 0 {
		return nil, fmt.Errorf("the file of API keys %s is not valid: %s", path, yaml.FormatError(err, false, true))
	}
	if err := checkKeys(file.Keys); err != nil {
		return nil, fmt.Errorf("the file of API keys %s is not valid: %w", path, err)
	}
	return file.Keys, nil
}

// checkKeys returns an error if a key is not valid, or if two have the same name or
// id.
func checkKeys(keys []*Key) error {
	if len(keys) > maxKeys {
		return fmt.Errorf("it has %d keys: at most %d are possible", len(keys), maxKeys)
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if k == nil {
			return errors.New("it has an empty entry")
		}
		if err := k.Check(); err != nil {
			return err
		}
		if !keyID.MatchString(k.ID) || !keyHash.MatchString(k.Hash) {
			return fmt.Errorf("the key %s has no valid id and hash: make it with \"modelgateway keys add\"", k.Name)
		}
		if k.TokenKey != "" {
			if _, err := readTokenKey(k.TokenKey); err != nil {
				return fmt.Errorf("the key %s is not valid: %w", k.Name, err)
			}
		}
		if seen["id "+k.ID] || seen["name "+k.Name] {
			return fmt.Errorf("two keys have the name %s or the id %s", k.Name, k.ID)
		}
		seen["id "+k.ID], seen["name "+k.Name] = true, true
	}
	return nil
}

// ChangeKeys changes a file of keys, which may not exist yet. Other programs that do
// the same wait.
func ChangeKeys(path string, change func([]*Key) ([]*Key, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot write the file of API keys: %w", err)
	}
	lock := flock.New(path+".lock", flock.SetPermissions(fileMode))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("cannot lock the file of API keys: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	if err := giveToOwner(path+".lock", path); err != nil {
		return fmt.Errorf("cannot lock the file of API keys: %w", err)
	}
	removeUnfinished(path)
	keys, err := ReadKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if keys, err = change(keys); err != nil {
		return err
	}
	if err := checkKeys(keys); err != nil {
		return err
	}
	text, err := yaml.Marshal(keyFile{Keys: keys})
	if err != nil {
		return err
	}
	if err := replaceFile(path, append([]byte(header), text...)); err != nil {
		return fmt.Errorf("cannot write the file of API keys: %w", err)
	}
	return nil
}

// removeUnfinished deletes the temporary files that killed programs left. The caller
// has the lock.
func removeUnfinished(path string) {
	prefix := "." + filepath.Base(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return // the file itself cannot be written then
	}
	for _, e := range entries {
		if number, found := strings.CutPrefix(e.Name(), prefix); found && number != "" && strings.Trim(number, "0123456789") == "" {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// replaceFile replaces a file, which keeps its mode and its owner.
func replaceFile(path string, text []byte) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(fileMode), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := giveToOwner(f.Name(), path); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// AddKey adds a key to a file and returns what its user sends.
func AddKey(path string, k *Key, now time.Time) (key string, err error) {
	if err := k.Check(); err != nil {
		return "", err
	}
	key = NewKey(k, now)
	return key, ChangeKeys(path, func(keys []*Key) ([]*Key, error) { return append(keys, k), nil })
}

// RevokeKey removes the key with a name or an id from a file, and returns it. What is
// the name of one key and the id of another is neither.
func RevokeKey(path, nameOrID string) (revoked *Key, err error) {
	err = ChangeKeys(path, func(keys []*Key) ([]*Key, error) {
		i := slices.IndexFunc(keys, func(k *Key) bool { return k.Name == nameOrID })
		byID := slices.IndexFunc(keys, func(k *Key) bool { return k.ID == nameOrID })
		switch {
		case i < 0 && byID < 0:
			return nil, fmt.Errorf("there is no key with the name or id %.100q: \"modelgateway keys list\" shows all", nameOrID)
		case i >= 0 && byID >= 0 && i != byID:
			return nil, fmt.Errorf("%q is the name of one key, whose id is %s, and the id of another, whose name is %s: revoke the first by its id, or the second by its name",
				nameOrID, keys[i].ID, keys[byID].Name)
		case i < 0:
			i = byID
		}
		revoked = keys[i]
		return slices.Delete(keys, i, i+1), nil
	})
	return revoked, err
}
