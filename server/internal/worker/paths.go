package worker

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Callers must not learn where the files of the server are. Engines know that, and so
// do the libraries whose messages they pass on.

// foldersOf returns the folders whose files a worker may name in its errors.
func foldersOf(spec Spec) []string {
	paths := append([]string{spec.Load.GetPath(), filepath.Join(os.TempDir(), "file")}, spec.Command...)
	var folders []string
	for _, path := range paths {
		if folder := filepath.Dir(path); filepath.IsAbs(path) && folder != "/" {
			folders = append(folders, folder+"/")
		}
	}
	return folders
}

// hide replaces the paths of the worker's files by their names. A text of the caller
// in an error remains what it is, unless it names one of these folders.
func (f *failures) hide(text string) string {
	for _, folder := range f.folders {
		text = strings.ReplaceAll(text, folder, "")
	}
	return text
}

// absolutePath matches a path of two or more names. The address of a web page has no
// such path.
var absolutePath = regexp.MustCompile(`(^|[\s"'` + "`" + `(=\[<:,])(?:/[^/\s"'` + "`" + `()<>\[\],:;]+)+/([^/\s"'` + "`" + `()<>\[\],:;]+)`)

// hideAllPaths replaces every absolute path by the name of its file.
func hideAllPaths(text string) string { return absolutePath.ReplaceAllString(text, "$1$2") }
