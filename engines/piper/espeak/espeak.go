// Package espeak is a thin layer over libespeak-ng: it turns text into the
// phonemes of its clauses, and nothing else of that library.
//
// libespeak-ng is licensed under the GPL, version 3 or later: programs that
// import this package are too. Its state is one for the process, so a Library is
// one for the process, and a lock keeps its calls apart.
//
// Some texts crash the library, and the process with it: package phonemiser runs it
// in one of its own.
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

// DataVariable names the folder that holds espeak-ng-data, where the library
// does not find it by itself.
const DataVariable = "MG_ESPEAK_DATA"

// dataFolder is the folder of the library's data.
const dataFolder = "espeak-ng-data"

// Library is libespeak-ng made ready for use.
type Library struct {
	// mu holds every call: the library has one state. Results are copied before
	// it is given back.
	mu    sync.Mutex
	voice string // the voice that the library is set to
}

// Open makes the library ready. Its data is in the folder that DataVariable
// names, else beside the library's file, else where the library looks itself.
// Call it once in a process.
func Open() (*Library, error) {
	folder := os.Getenv(DataVariable)
	if folder == "" {
		folder = besideLibrary()
	} else if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		// The library would go on to other places, which may hold another version's.
		return nil, fmt.Errorf("%s names %q, which is no folder", DataVariable, folder)
	}
	var path *C.char
	if folder != "" {
		path = C.CString(folder)
		defer C.free(unsafe.Pointer(path))
	}
	if rate := C.mg_espeak_initialize(path); rate <= 0 {
		return nil, fmt.Errorf("libespeak-ng finds no usable %s (it was looked for in %q)", dataFolder, folder)
	}
	return &Library{}, nil
}

// besideLibrary returns the library's folder if its data lies there, as in
// Debian's packages; "" if not. The library knows it only by its absolute place,
// which is another where the packages lie in a prefix.
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

// Clause is a part of a text up to a punctuation mark, or to where the library's
// room for one ends.
type Clause struct {
	// From and To are where it lies in the text, in bytes: each clause begins
	// where the one before it ended.
	From, To int
	// Phonemes are in the International Phonetic Alphabet, words apart by spaces.
	Phonemes string
	// Terminator tells what ended the clause, in the library's CLAUSE_ bits.
	Terminator int
}

// CheckVoice tells whether the library has a voice of this name.
func (l *Library) CheckVoice(voice string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.setVoice(voice)
}

// setVoice is called with the lock held.
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

// Clauses translates a text with a voice. NUL and what is no UTF-8 are read as
// spaces, so that offsets hold.
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
	// Also when ctx has ended, the text is read to its end (100,000 letters take
	// 0.1 s): what the library has read ahead would begin the next text.
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

// Clean replaces bytes that the library would stop at, or misread, by spaces.
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

// clauseEnd returns where a clause ends when the library is at an offset: it has
// read one character more.
func clauseEnd(text string, from, offset int) int {
	offset = min(max(offset, from), len(text))
	_, ahead := utf8.DecodeLastRuneInString(text[from:offset])
	return offset - ahead
}
