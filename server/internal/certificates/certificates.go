// Package certificates is the transport security of both listeners: the server's
// certificate, and the authority of its clients' certificates. Files that change are
// read again, so that a renewed certificate needs no restart.
package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// lookInterval is the time between two looks at the files.
const lookInterval = time.Second

// Source has the current certificates.
type Source struct {
	files config.TLS
	log   *slog.Logger
	now   func() time.Time

	mu     sync.Mutex
	looked time.Time
	read   []fs.FileInfo // of the files when they were last read
	base   *tls.Config
}

// Open reads the files.
func Open(files config.TLS, log *slog.Logger) (*Source, error) {
	s := &Source{files: files, log: log, now: time.Now}
	s.looked = s.now()
	s.read, _ = s.stat() // an error shows below
	var err error
	s.base, err = load(files)
	return s, err
}

// Config returns the configuration of a listener that speaks these protocols.
func (s *Source) Config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := s.current().Clone()
			c.NextProtos = protocols
			return c, nil
		},
	}
}

// current returns the certificates of the files as they are now. If they cannot be
// read, those that were read before stay.
func (s *Source) current() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Sub(s.looked) < lookInterval {
		return s.base
	}
	s.looked = s.now()
	infos, err := s.stat()
	if err == nil && same(infos, s.read) {
		return s.base
	}
	var fresh *tls.Config
	if err == nil {
		fresh, err = load(s.files)
	}
	if err != nil {
		s.log.Error("the TLS certificate cannot be read; the one that was read before stays in use", "error", err.Error())
		return s.base
	}
	s.base, s.read = fresh, infos
	s.log.Info("read the TLS certificate", "file", s.files.CertFile)
	return s.base
}

func (s *Source) stat() (infos []fs.FileInfo, err error) {
	for _, name := range []string{s.files.CertFile, s.files.KeyFile, s.files.ClientCAFile} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func same(a, b []fs.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}

// load reads the files.
func load(files config.TLS) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file and tls.key_file: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if files.ClientCAFile == "" {
		return c, nil
	}
	text, err := os.ReadFile(files.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("tls.client_ca_file: %w", err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("tls.client_ca_file: %w", errors.New("the file has no certificate in PEM form"))
	}
	return c, nil
}
