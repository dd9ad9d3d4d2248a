package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/certificates"
)

// TestSecuredServer uses a server with keys and TLS as a newcomer and as a container do.
func TestSecuredServer(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.yaml")
	pair, err := certificates.SelfSigned(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := settings(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	secured := fmt.Sprintf("auth: {keys_file: %s}\ntls: {cert_file: %s, key_file: %s}\n", keys, pair.CertFile, pair.KeyFile)
	write(t, file, string(text)+secured)
	added := finish(t, command(t, "keys", "add", "boss", "--role=admin", "--config="+file))
	added.check(t, exitOK, "mg_")
	s := startWith(t, file)
	as := func(env []string, args ...string) result {
		cmd := command(t, args...)
		cmd.Env = append(cmd.Env, append(env, "MODELGATEWAY_ADDR="+s.addr)...)
		return finish(t, cmd)
	}
	key := []string{"MODELGATEWAY_API_KEY=" + strings.TrimSpace(added.out)}
	as(key, "status").check(t, exitNoServer, "without TLS", "--tls-ca")
	as(key, "status", "--tls").check(t, exitNoServer, "cannot be trusted", "--tls-ca")
	as(nil, "status", "--tls-ca="+pair.CertFile).check(t, exitDenied, "UNAUTHENTICATED", "MODELGATEWAY_API_KEY")
	as(key, "status", "--tls-ca="+pair.CertFile).check(t, exitOK, "fast")

	as(nil, "status", "--tls-cert="+pair.CertFile, "--tls-key="+pair.KeyFile).check(t, exitUsage, "--tls-ca")
	as(nil, "status", "--tls-key="+pair.KeyFile).check(t, exitUsage, "--tls-cert")
	as(nil, "status", "--tls-ca="+keys).check(t, exitUsage, "no certificate")

	// A container's health check has the environment of the server.
	container := []string{"MODELGATEWAY_CONFIG=" + file, "MODELGATEWAY_GRPC_LISTEN=" + s.addr}
	as(container, "health").check(t, exitOK, "serves")

	doctor := []string{"doctor", "--config", file, "--state-dir", t.TempDir(), "--grpc-listen", s.addr, "--http-listen", s.http}
	as(nil, doctor...).check(t, exitFailed, "OK   server", "is running at "+s.addr, "WARN fallbacks", "MODELGATEWAY_API_KEY")
	as(key, doctor...).check(t, exitFailed, "OK   server", "version dev is running at "+s.addr, "OK   fallbacks")
}

// TestClientCertificate uses a server that lets in only clients with a certificate.
func TestClientCertificate(t *testing.T) {
	server, err := certificates.SelfSigned(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	own, err := certificates.SelfSigned(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := certificates.SelfSigned(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := settings(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text)+fmt.Sprintf("tls: {cert_file: %s, key_file: %s, client_ca_file: %s}\n", server.CertFile, server.KeyFile, own.CertFile))
	s := startWith(t, file)
	ca := "--tls-ca=" + server.CertFile
	call := func(env []string, args ...string) result {
		cmd := command(t, args...)
		cmd.Env = append(append(cmd.Env, "MODELGATEWAY_ADDR="+s.addr), env...)
		return finish(t, cmd)
	}
	call(nil, "status", ca, "--tls-cert="+own.CertFile, "--tls-key="+own.KeyFile).check(t, exitOK, "fast")
	call([]string{"MODELGATEWAY_TLS_CERT=" + own.CertFile, "MODELGATEWAY_TLS_KEY=" + own.KeyFile}, "status", ca).check(t, exitOK, "fast")
	call(nil, "status", ca).check(t, exitNoServer, "client certificate", "--tls-cert")
	call(nil, "status", ca, "--tls-cert="+stranger.CertFile, "--tls-key="+stranger.KeyFile).check(t, exitNoServer, "client certificate", "--tls-cert")
	call(nil, "status", ca, "--tls-cert="+own.CertFile).check(t, exitUsage, "--tls-cert")
	both, key := filepath.Join(t.TempDir(), "both.pem"), ""
	for _, part := range []string{own.CertFile, own.KeyFile} {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		key += string(text)
	}
	write(t, both, key)
	call(nil, "status", ca, "--tls-cert="+both).check(t, exitOK, "fast")

	// The health check of a container, with a certificate of its own.
	container := []string{"MODELGATEWAY_CONFIG=" + file, "MODELGATEWAY_GRPC_LISTEN=" + s.addr, "MODELGATEWAY_TLS_CERT=" + both}
	call(container, "health").check(t, exitOK, "serves")
}
