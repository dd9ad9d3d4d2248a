package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/bundled"
)

// Patterns of names. Names become URLs, file names and shell commands, so the
// patterns are stricter than each of these requires.
var (
	namePattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	repoPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)
	pathPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
	shaPattern      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	languagePattern = regexp.MustCompile(`^([a-z]{2,3}(-[A-Z]{2})?|multilingual)$`)
	variablePattern = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	keyPattern      = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	valuePattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
)

const (
	maxPath   = 240     // characters
	maxSizeMB = 100e3   // 100 GB
	maxMemory = 1 << 20 // MiB
)

// reserved are suffixes of files that a pull creates.
var reserved = []string{".part", ".part.json", ".lock", ".tmp"}

func (m Model) check() error {
	var errs []error
	addf := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, n := range m.names() {
		if !namePattern.MatchString(n) {
			addf("invalid name %q", n)
		}
	}
	if !repoPattern.MatchString(m.Repo) || strings.Contains(m.Repo, "..") {
		addf("repo %q must be owner/name", m.Repo)
	}
	if !slices.ContainsFunc(bundled.Engines(), func(e bundled.Engine) bool { return e.Name == m.Engine }) {
		addf("unknown engine %q", m.Engine)
	}
	if !printable(m.Task) || m.Task == "" || !printable(m.Note) {
		addf("task and note must be text on one line, and task must not be empty")
	}
	if m.MemoryMB < 1 || m.MemoryMB > maxMemory {
		addf("memory_mb must be from 1 to %d", maxMemory)
	}
	if len(m.Languages) == 0 || slices.ContainsFunc(m.Languages, func(l string) bool { return !languagePattern.MatchString(l) }) {
		addf("languages %q must be tags such as en, vi-VN or multilingual", m.Languages)
	}
	if u, err := url.Parse(m.License.URL); err != nil || u.Scheme != "https" || u.Host == "" || !printable(m.License.URL) {
		addf("license.url %q must be an https URL", m.License.URL)
	}
	if m.License.Name == "" || !printable(m.License.Name) {
		addf("license.name must be text on one line, and not empty")
	}
	if len(m.Files) == 0 {
		addf("no files")
	}
	for _, f := range m.Files {
		if err := f.check(); err != nil {
			errs = append(errs, err)
		}
		if !(f.SizeMB > 0 && f.SizeMB <= maxSizeMB) {
			addf("size_mb of %q must be above 0 and at most %g", f.Path, float64(maxSizeMB))
		}
	}
	return errors.Join(append(errs, m.checkPinned(), m.checkPackages(), m.Configure.check())...)
}

// checkPinned checks that the commit and the checksum of every file are given, or that
// the model says that they are not.
func (m Model) checkPinned() error {
	var errs []error
	if !validRevision(m.Revision) && m.Revision != "" {
		errs = append(errs, fmt.Errorf("revision %q must be a commit", m.Revision))
	}
	pinned := commitPattern.MatchString(m.Revision) || m.Revision == "" && len(m.Packages) > 0
	for _, f := range m.Files {
		pinned = pinned && f.SHA256 != ""
	}
	switch {
	case !pinned && !m.TrustOnFirstUse:
		errs = append(errs, errors.New("every file needs a sha256, and the model a revision of 40 hexadecimal digits; without them it needs trust_on_first_use"))
	case pinned && m.TrustOnFirstUse:
		errs = append(errs, errors.New("trust_on_first_use is for models without a commit or a sha256"))
	case m.Revision == "" && len(m.Packages) == 0:
		errs = append(errs, errors.New("without packages, a revision is needed"))
	}
	return errors.Join(errs...)
}

// validRevision reports whether text can be a commit, a tag or a branch in a URL.
func validRevision(text string) bool {
	return namePattern.MatchString(text) && !strings.Contains(text, "..")
}

// checkPackages checks the packages, and that they are enough to make each file.
func (m Model) checkPackages() error {
	var errs []error
	for _, p := range m.Packages {
		if !namePattern.MatchString(p.Name) || !namePattern.MatchString(p.Version) || !shaPattern.MatchString(p.SHA256) {
			errs = append(errs, fmt.Errorf("the package %q needs a plain name, a plain version and a sha256", p.Name))
		}
		if !(p.SizeMB > 0 && p.SizeMB <= maxSizeMB) {
			errs = append(errs, fmt.Errorf("size_mb of the package %q must be above 0 and at most %g", p.Name, float64(maxSizeMB)))
		}
	}
	for _, f := range m.Files {
		switch {
		case len(m.Packages) == 0 && (len(f.Members) > 0 || f.Convert):
			errs = append(errs, fmt.Errorf("%q has members, but the model has no packages", f.Path))
		case len(m.Packages) > 0 && (len(f.Members) == 0 || f.SHA256 == ""):
			errs = append(errs, fmt.Errorf("%q needs members and a sha256, because the model has packages", f.Path))
		}
		if slices.ContainsFunc(f.Members, func(member string) bool { return !safePath(member) }) {
			errs = append(errs, fmt.Errorf("members of %q must be relative paths of plain names", f.Path))
		}
	}
	return errors.Join(errs...)
}

func (f File) check() error {
	var errs []error
	if !safePath(f.Path) {
		errs = append(errs, fmt.Errorf("path %q must be a relative path of plain names", f.Path))
	}
	if !safePath(f.Local) {
		errs = append(errs, fmt.Errorf("local %q must be a relative path of plain names", f.Local))
	}
	for _, suffix := range reserved {
		if strings.HasSuffix(strings.ToLower(f.Local), suffix) {
			errs = append(errs, fmt.Errorf("local %q must not end in %s", f.Local, suffix))
		}
	}
	if f.SHA256 != "" && !shaPattern.MatchString(f.SHA256) {
		errs = append(errs, fmt.Errorf("sha256 of %q must be 64 lower-case hexadecimal digits", f.Path))
	}
	return errors.Join(errs...)
}

func (c Configure) check() error {
	var errs []error
	if !namePattern.MatchString(c.Model) {
		errs = append(errs, fmt.Errorf("invalid configure.model %q", c.Model))
	}
	if !safePath(c.Path) {
		errs = append(errs, fmt.Errorf("configure.path %q must be a relative path of plain names", c.Path))
	}
	for name, value := range c.Env {
		if !variablePattern.MatchString(name) || !valuePattern.MatchString(value) {
			errs = append(errs, fmt.Errorf("configure.env: %s=%q cannot be set safely", name, value))
		}
	}
	for name, value := range c.Parameters {
		text, isText := value.(string)
		if !keyPattern.MatchString(name) || isText && !valuePattern.MatchString(text) {
			errs = append(errs, fmt.Errorf("configure.parameters: %s: %v cannot be set safely", name, value))
		}
	}
	return errors.Join(errs...)
}

// safePath reports whether a path is relative, consists of plain names and stays
// below its base directory on every system.
func safePath(path string) bool {
	return len(path) <= maxPath && pathPattern.MatchString(path) && filepath.IsLocal(filepath.FromSlash(path))
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' })
}
