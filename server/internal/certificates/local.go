package certificates

import (
	"bytes"
	"crypto/tls"
	"errors"
	"path/filepath"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// Files returns the files of a server's certificate. A self-signed one is in the
// state directory.
func Files(cfg *config.Config) config.TLS {
	files := cfg.TLS
	if files.SelfSigned {
		dir := filepath.Join(cfg.StateDir, "tls")
		files.CertFile, files.KeyFile = filepath.Join(dir, certName), filepath.Join(dir, keyName)
	}
	return files
}

// ForLocal returns the transport security of a program that calls the server of its
// own machine, nil for plain text. It trusts the server's certificate and no other,
// whatever names that has: the server is called by an address such as 127.0.0.1. If
// clients need a certificate, it shows the server's own.
func ForLocal(cfg *config.Config) (*tls.Config, error) {
	if !cfg.TLS.Enabled() {
		return nil, nil //nolint:nilnil // no transport security is not an error
	}
	server, err := load(Files(cfg))
	if err != nil {
		return nil, err
	}
	own := server.Certificates[0]
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Certificates:       server.Certificates,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection accepts one certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, own.Certificate[0]) {
				return errors.New("the server has another certificate than its configuration says")
			}
			return nil
		},
	}, nil
}
