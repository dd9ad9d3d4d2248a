package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

const (
	certName, keyName = "cert.pem", "key.pem"

	// validity is how long a self-signed certificate is valid, and renewal how long
	// before its end a start of the server makes another.
	validity = 365 * 24 * time.Hour
	renewal  = 30 * 24 * time.Hour
)

// SelfSigned returns the files of a self-signed certificate in a directory for this
// machine. It makes them if they do not exist or end soon.
func SelfSigned(dir string, now time.Time) (config.TLS, error) {
	files := config.TLS{CertFile: filepath.Join(dir, certName), KeyFile: filepath.Join(dir, keyName)}
	if pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile); err == nil && pair.Leaf.NotAfter.Sub(now) > renewal {
		return files, nil
	}
	cert, key, err := selfSigned(now)
	if err != nil {
		return files, fmt.Errorf("cannot make a self-signed certificate: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files, fmt.Errorf("cannot write the self-signed certificate: %w", err)
	}
	for name, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: cert}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := renameio.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			return files, fmt.Errorf("cannot write the self-signed certificate: %w", err)
		}
	}
	return files, nil
}

func selfSigned(now time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "ModelGateway, self-signed"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, IsCA: true, // so that clients can trust it as their only authority
		DNSNames: []string{"localhost"},
	}
	if name, err := os.Hostname(); err == nil {
		template.DNSNames = append(template.DNSNames, name)
	}
	addresses, _ := net.InterfaceAddrs() // without them, clients use a name
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok {
			template.IPAddresses = append(template.IPAddresses, network.IP)
		}
	}
	if cert, err = x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private); err != nil {
		return nil, nil, err
	}
	key, err = x509.MarshalPKCS8PrivateKey(private)
	return cert, key, err
}
