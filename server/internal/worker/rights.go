package worker

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// policy returns the rights of a worker that is started with a program and an
// environment: those that the configuration gives to the engine, and to read what the
// engine consists of and its model. own is its folder for sockets and temporary files.
func (h *Host) policy(spec Spec, program string, env []string, own string) isolate.Policy {
	g := granted{private: h.private}
	g.program(program)
	for _, arg := range spec.Command[1:] {
		g.argument(arg)
	}
	for _, variable := range env {
		if name, value, _ := strings.Cut(variable, "="); namesFiles(name) || slices.Contains(spec.Env, variable) {
			g.list(value, g.withLinks)
		}
	}
	g.withLinks(spec.Load.GetPath())
	g.parameters(structpb.NewStructValue(spec.Load.GetParameters()))
	return isolate.Policy{
		Network:  spec.Rights.Network,
		AllFiles: spec.Rights.AllFiles,
		Read:     append(g.paths, spec.Rights.Read...),
		Write:    append([]string{own}, spec.Rights.Write...),
	}
}

// namesFiles reports whether a variable names files that an engine needs.
func namesFiles(name string) bool {
	return strings.HasPrefix(name, enginePrefix) || name == "LD_LIBRARY_PATH"
}

// granted collects what a worker may read.
type granted struct {
	// private are folders and files that are not given away with a folder.
	private []string
	paths   []string
}

func (g *granted) add(path string) {
	if path != "" && !slices.Contains(g.paths, path) {
		g.paths = append(g.paths, path)
	}
}

// argument adds the file that an argument of a program names.
func (g *granted) argument(arg string) {
	if strings.HasPrefix(arg, "-") {
		_, value, _ := strings.Cut(arg, "=")
		g.list(value, g.withLinks)
	} else if path, err := filepath.Abs(arg); err == nil {
		g.withLinks(path)
	}
}

// list adds, by the function add, the absolute paths of a list such as PATH.
func (g *granted) list(paths string, add func(path string)) {
	for _, path := range filepath.SplitList(paths) {
		if filepath.IsAbs(path) {
			add(path)
		}
	}
}

// parameters adds the absolute paths in the parameters of a model.
func (g *granted) parameters(v *structpb.Value) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		if filepath.IsAbs(kind.StringValue) {
			g.withLinks(kind.StringValue)
		}
	case *structpb.Value_ListValue:
		for _, value := range kind.ListValue.GetValues() {
			g.parameters(value)
		}
	case *structpb.Value_StructValue:
		for _, value := range kind.StructValue.GetFields() {
			g.parameters(value)
		}
	}
}

// near adds a folder or, for a file, the folder of the file: a model, a program and a
// script have other files beside them. If something private is in that folder, only the
// files are added whose names begin like that of the file.
func (g *granted) near(path string) {
	info, err := os.Stat(path)
	if err != nil || isolate.Readable(path) {
		return // whoever needs it says that it is missing
	}
	folder := path
	if !info.IsDir() {
		folder = filepath.Dir(path)
	}
	if !g.isPrivate(folder) {
		g.add(folder)
		return
	}
	if info.IsDir() {
		return
	}
	g.add(path)
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	stem, _, _ = strings.Cut(stem, "-00001-of-") // of a model in several files
	entries, err := os.ReadDir(folder)
	if err != nil {
		return // the file itself may be readable
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), stem) {
			continue
		}
		part := filepath.Join(folder, entry.Name())
		if info, err := os.Stat(part); err == nil && info.Mode().IsRegular() { // or a link to one
			g.add(part)
		}
	}
}

// withLinks adds what near adds, and what links there point to: the hub's cache keeps
// models as links to files elsewhere.
func (g *granted) withLinks(path string) {
	info, err := os.Stat(path)
	if err != nil || isolate.Readable(path) {
		return
	}
	g.near(path)
	if info.IsDir() {
		g.links(path, true)
	} else {
		g.links(filepath.Dir(path), false)
	}
}

// isPrivate reports whether a folder has more than what one engine needs: it contains,
// at whatever depth, the user's home, the temporary folder, or something of the server.
func (g *granted) isPrivate(folder string) bool {
	home, _ := os.UserHomeDir() // without one, nothing is in it
	for _, path := range append([]string{home, os.TempDir()}, g.private...) {
		if path != "" && within(path, folder) {
			return true
		}
	}
	return false
}

// within reports whether a path is a folder or in it. Links in either are followed.
func within(path, folder string) bool {
	relative, err := filepath.Rel(real(folder), real(path))
	return err == nil && relative != ".." && !strings.HasPrefix(relative, "../")
}

// real returns the path without links; the path itself if it does not exist.
func real(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}

// maxLinks is how many entries of a folder are searched for links.
const maxLinks = 2000

// links adds what links in a folder point to, unless that or the folder is private.
// deep includes its subfolders.
func (g *granted) links(folder string, deep bool) {
	folder = real(folder) // WalkDir does not follow a link
	left := maxLinks
	if g.isPrivate(folder) {
		return
	}
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		left--
		switch {
		case left < 0:
			return fs.SkipAll
		case err != nil:
			return nil //nolint:nilerr // the engine says what it cannot read
		case entry.IsDir() && !deep && path != folder:
			return fs.SkipDir
		case entry.Type()&fs.ModeSymlink == 0:
			return nil
		}
		if target, err := filepath.EvalSymlinks(path); err == nil && !within(target, folder) && !g.isPrivate(target) {
			g.add(target)
		}
		return nil
	})
}

// program adds the folder of a program, and those of its libraries.
func (g *granted) program(path string) {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	g.near(path)
	resolved := real(path)
	g.near(resolved)
	g.python(path)
	g.python(resolved)
	g.libraries(resolved)
	// A launcher that scripts/build.sh made; see there.
	launched := filepath.Join(filepath.Dir(resolved), "libexec", filepath.Base(resolved))
	g.libraries(launched)
	for _, beside := range []string{resolved, launched} {
		g.helper(filepath.Join(filepath.Dir(beside), decode.Program))
	}
}

// helper adds the program that engines start to decode sound.
func (g *granted) helper(path string) {
	if exists(path) {
		g.add(path)
		g.libraries(path)
	}
}

// python adds the folders of a Python interpreter or of a virtual environment, in whose
// folder bin the interpreter is a link.
func (g *granted) python(interpreter string) {
	prefix := filepath.Dir(filepath.Dir(interpreter))
	if exists(filepath.Join(prefix, "pyvenv.cfg")) {
		g.near(prefix)
	}
	libraries, err := filepath.Glob(filepath.Join(prefix, "lib", "python3*"))
	if err == nil && len(libraries) > 0 && strings.HasPrefix(filepath.Base(interpreter), "python") {
		g.near(filepath.Dir(libraries[0])) // libpython is there, too
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// libraries adds the folders of the dynamic linker of a program and of its libraries.
func (g *granted) libraries(program string) {
	linker, folders := isolate.Needs(program)
	if linker != "" {
		g.near(linker)
		g.near(real(linker))
	}
	for _, folder := range folders {
		g.near(folder)
	}
}
