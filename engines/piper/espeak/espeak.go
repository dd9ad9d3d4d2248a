// Package espeak is a thin layer over libespeak-ng that translates text into
// phonemes, clause by clause.
//
// libespeak-ng is licensed under the GPL, version 3 or later, and so are programs
// that import this package. The library has global state, so a process must open
// only one Library, whose calls are serialised by a lock.
//
// Some texts crash the library and its process. Package phonemiser therefore runs it
// in a separate process.
package espeak

/*
#cgo LDFLAGS: -lespeak-ng -ldl
#include <stdlib.h>
#include <espeak-ng/speak_lib.h>
#include "shim.h"
*/
import "C"

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// DataVariable is the environment variable with the folder that contains
// espeak-ng-data. It is needed if Open does not find that folder.
const DataVariable = "MG_ESPEAK_DATA"

// dataFolder is the name of the folder with the library's data.
const dataFolder = "espeak-ng-data"

// Library is the initialised libespeak-ng.
type Library struct {
	// mu is held during every call, until the result is copied: the library has
	// global state.
	mu    sync.Mutex
	voice string // the current voice of the library
}

// Open initialises the library. It looks for the data in the folder of DataVariable
// if that is set, else beside the library's file, else in the library's default
// folders. It must be called only once in a process.
func Open() (*Library, error) {
	folder := os.Getenv(DataVariable)
	if folder == "" {
		folder = besideLibrary()
	} else if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		// The library would continue with its default folders, which may contain
		// the data of another version.
		return nil, fmt.Errorf("%s is %q, which is not a folder", DataVariable, folder)
	}
	var path *C.char
	if folder != "" {
		path = C.CString(folder)
		defer C.free(unsafe.Pointer(path))
	}
	if rate := C.mg_espeak_initialize(path); rate <= 0 {
		return nil, fmt.Errorf("libespeak-ng found no usable %s in %q", dataFolder, folder)
	}
	return &Library{}, nil
}

// besideLibrary returns the folder of the library's file if it contains the data,
// as in Debian's packages; "" if not. The library itself has only an absolute path,
// which is wrong if the packages are unpacked into another folder.
func besideLibrary() string {
	found := C.mg_espeak_folder()
	defer C.free(unsafe.Pointer(found))
	folder := C.GoString(found)
	if info, err := os.Stat(filepath.Join(folder, dataFolder)); folder == "" || err != nil || !info.IsDir() {
		return ""
	}
	return folder
}

// Version returns libespeak-ng's version.
func Version() string {
	version, _, _ := strings.Cut(C.GoString(C.espeak_Info(nil)), " ") // a date may follow
	return version
}

// Clause is a part of a text up to a punctuation mark, or up to the library's
// maximum length of a clause.
type Clause struct {
	// From and To are byte offsets in the text. Each clause begins where the one
	// before it ends.
	From, To int
	// Phonemes are in the International Phonetic Alphabet. Spaces separate words.
	Phonemes string
	// Terminator says how the clause ends, in the library's CLAUSE_ bits.
	Terminator int
}

// CheckVoice returns an error if the library has no voice of this name.
func (l *Library) CheckVoice(voice string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.setVoice(voice)
}

// setVoice selects a voice. The lock must be held.
func (l *Library) setVoice(voice string) error {
	if voice == l.voice && voice != "" {
		return nil
	}
	if strings.ContainsRune(voice, 0) {
		return fmt.Errorf("libespeak-ng has no voice %q", voice)
	}
	name := C.CString(voice)
	defer C.free(unsafe.Pointer(name))
	l.voice = ""
	if status := C.espeak_SetVoiceByName(name); status != C.EE_OK {
		return fmt.Errorf("libespeak-ng has no voice %q", voice)
	}
	l.voice = voice
	return nil
}

// Clauses translates a text with a voice. NUL and invalid UTF-8 are read as spaces,
// which does not change the offsets.
func (l *Library) Clauses(ctx context.Context, voice, text string) ([]Clause, error) {
	text = Clean(text)
	start := C.CString(text)
	defer C.free(unsafe.Pointer(start))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.setVoice(voice); err != nil {
		return nil, err
	}
	var clauses []Clause
	from := 0
	// The text is read to its end even if ctx has ended: otherwise the part that
	// the library has read ahead would be added to the next text. 100,000 letters
	// take 0.1 s.
	for next := unsafe.Pointer(start); next != nil; {
		var terminator C.int
		phonemes := C.mg_espeak_clause(&next, &terminator)
		if ctx.Err() != nil {
			continue
		}
		to := len(text)
		if next != nil {
			to = clauseEnd(text, from, int(uintptr(next)-uintptr(unsafe.Pointer(start))))
		}
		clauses = append(clauses, Clause{From: from, To: to, Phonemes: C.GoString(phonemes), Terminator: int(terminator)})
		from = to
	}
	return clauses, ctx.Err()
}

// Clean replaces NUL and bytes that are not UTF-8 by spaces.
func Clean(text string) string {
	b := []byte(text)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			b[i] = ' '
		}
		i += size
	}
	return string(b)
}

// clauseEnd returns the end of a clause after which the library is at offset: the
// library has read one more character.
func clauseEnd(text string, from, offset int) int {
	offset = min(max(offset, from), len(text))
	_, ahead := utf8.DecodeLastRuneInString(text[from:offset])
	return offset - ahead
}
