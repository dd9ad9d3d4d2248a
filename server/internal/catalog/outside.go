package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// hubHost is the host in the URLs of files on the hub.
const hubHost = "huggingface.co"

// outsideDir is the folder of the models directory for files that are in no entry of
// the catalogue.
const outsideDir = "hub"

// IsOutside reports whether an argument of "pull" means a file on the hub, not a name
// in the catalogue.
func IsOutside(argument string) bool { return strings.Contains(argument, "/") }

// Outside returns a model of one file on the hub that need not be in the catalogue. The
// argument is OWNER/NAME/FILE, OWNER/NAME@REVISION/FILE, or the URL of the file on the
// hub. Nobody has vouched for the file, so the model has TrustOnFirstUse.
func Outside(argument string) (Model, error) {
	repo, revision, path, err := splitOutside(argument)
	if err != nil {
		return Model{}, err
	}
	local := strings.Join([]string{outsideDir, repo, path}, "/")
	m := Model{
		Name: repo + "/" + path, Repo: repo, Revision: revision, TrustOnFirstUse: true,
		Files:     []File{{Path: path, Local: local}},
		Configure: Configure{Path: local},
	}
	if !repoPattern.MatchString(repo) || strings.Contains(repo, "..") || !validRevision(revision) {
		return Model{}, fmt.Errorf("%q names no file on the hub: use OWNER/NAME/FILE, such as Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q8_0.gguf", argument)
	}
	if err := m.Files[0].check(); err != nil {
		return Model{}, fmt.Errorf("%q cannot be pulled: %w", argument, err)
	}
	return m, nil
}

// splitOutside splits an argument of Outside. The parts are not checked yet.
func splitOutside(argument string) (repo, revision, path string, err error) {
	const form = "use OWNER/NAME/FILE, OWNER/NAME@REVISION/FILE, or https://" + hubHost + "/OWNER/NAME/resolve/REVISION/FILE"
	if !strings.Contains(argument, "://") {
		parts := strings.SplitN(argument, "/", 3)
		if len(parts) < 3 {
			return "", "", "", fmt.Errorf("%q names a repository, not a file: %s", argument, form)
		}
		name, revision, given := strings.Cut(parts[1], "@")
		if !given {
			revision = "main"
		}
		return parts[0] + "/" + name, revision, parts[2], nil
	}
	u, err := url.Parse(argument)
	if err != nil || u.Scheme != "https" || u.Host != hubHost || u.User != nil {
		return "", "", "", errors.New("only files of " + hubHost + " can be pulled: " + form +
			". Download other files with another program into the models directory, and name them in the configuration")
	}
	parts := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 5)
	if len(parts) < 5 || parts[2] != "resolve" && parts[2] != "blob" {
		return "", "", "", fmt.Errorf("%s is not the URL of a file: %s", u.Redacted(), form)
	}
	return parts[0] + "/" + parts[1], parts[3], parts[4], nil
}
