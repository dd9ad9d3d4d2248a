package isolate

import (
	"bytes"
	"debug/elf"
	"path/filepath"
	"strings"
)

// maxPath is the longest path that the kernel takes.
const maxPath = 4096

// Needs returns the dynamic linker of a program, and the folders of the libraries beside
// it or where the program says. Both are empty for a script, or whatever else the kernel
// starts.
func Needs(program string) (linker string, folders []string) {
	file, err := elf.Open(program)
	if err != nil {
		return "", nil
	}
	defer func() { _ = file.Close() }() // it was only read
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_INTERP || segment.Filesz > maxPath {
			continue
		}
		name := make([]byte, segment.Filesz)
		if n, _ := segment.ReadAt(name, 0); n == len(name) { // io.EOF at its end
			linker = string(bytes.TrimRight(name, "\x00"))
		}
	}
	origin := strings.NewReplacer("$ORIGIN", filepath.Dir(program), "${ORIGIN}", filepath.Dir(program))
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		paths, err := file.DynString(tag)
		if err != nil {
			continue
		}
		for _, path := range paths {
			for _, folder := range filepath.SplitList(origin.Replace(path)) {
				if filepath.IsAbs(folder) {
					folders = append(folders, folder)
				}
			}
		}
	}
	return linker, folders
}
