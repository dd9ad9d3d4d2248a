package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/certificates"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// certificate makes a self-signed certificate, which is its own authority.
func certificate(t *testing.T) config.TLS {
	t.Helper()
	files, err := certificates.SelfSigned(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// trusting returns a client configuration that trusts an authority.
func trusting(t *testing.T, authority string, own ...tls.Certificate) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate")
	}
	return &tls.Config{RootCAs: pool, Certificates: own, MinVersion: tls.VersionTLS12}
}

// secureStatus calls Status over gRPC and TLS.
func secureStatus(t *testing.T, r *running, cfg *tls.Config) error {
	t.Helper()
	conn, err := grpc.NewClient(r.GRPCAddr().String(), grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = gatewayv1.NewModelGatewayServiceClient(conn).Status(within(t, time.Minute), &gatewayv1.StatusRequest{})
	return err
}

func TestTLS(t *testing.T) {
	files := certificate(t)
	r := start(t, fmt.Sprintf("tls: {cert_file: %s, key_file: %s}\n", files.CertFile, files.KeyFile)+speechModels)
	cfg := trusting(t, files.CertFile)
	if err := secureStatus(t, r, cfg); err != nil {
		t.Errorf("gRPC: %v", err)
	}
	if _, err := r.chat.Status(within(t, time.Minute), &gatewayv1.StatusRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("gRPC in plain text: %v", err)
	}
	address := strings.TrimPrefix(r.http, "http://")
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg.Clone(), ForceAttemptHTTP2: version == "HTTP/2.0"}}
		resp, err := client.Post("https://"+address+"/v1/chat", "application/json", strings.NewReader(userSays))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Proto != version {
			t.Errorf("%s: %s, %d", version, resp.Proto, resp.StatusCode)
		}
		client.CloseIdleConnections()
	}
	conn, _, err := (&websocket.Dialer{TLSClientConfig: cfg.Clone()}).DialContext(t.Context(), "wss://"+address+"/v1/synthesize/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"text":"Hello"}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadMessage(); err != nil {
		t.Errorf("WebSocket: %v", err)
	}
}

// TestTLSDisconnect checks that a client with TLS that goes away in the middle of its
// upload gives its model back.
func TestTLSDisconnect(t *testing.T) {
	files := certificate(t)
	stalled := strings.Replace(speechModels, "threads: 1,", "threads: 1, parameters: {fault: stall},", 1) // reads no audio after the first
	r := start(t, fmt.Sprintf("tls: {cert_file: %s, key_file: %s}\n", files.CertFile, files.KeyFile)+stalled)
	secured, err := grpc.NewClient(r.GRPCAddr().String(), grpc.WithTransportCredentials(credentials.NewTLS(trusting(t, files.CertFile))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = secured.Close() }()
	active := func() int32 {
		resp, err := gatewayv1.NewModelAdminServiceClient(secured).GetModel(within(t, time.Minute), &gatewayv1.GetModelRequest{Name: "qwen"})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetModel().GetActiveCount()
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.http, "http://"), trusting(t, files.CertFile))
	if err != nil {
		t.Fatal(err)
	}
	const head = "POST /v1/transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\nContent-Length: 10000000\r\n\r\n"
	if _, err := io.WriteString(conn, head+strings.Repeat("\x00", 1<<20)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return active() == 1 })
	if err := conn.NetConn().Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return active() == 0 })
}

// TestClientCertificates checks that only clients with a certificate of the right
// authority get in.
func TestClientCertificates(t *testing.T) {
	files, good, bad := certificate(t), certificate(t), certificate(t)
	r := start(t, fmt.Sprintf("tls: {cert_file: %s, key_file: %s, client_ca_file: %s}\n", files.CertFile, files.KeyFile, good.CertFile)+faultModels)
	own := func(f config.TLS) tls.Certificate {
		pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	if err := secureStatus(t, r, trusting(t, files.CertFile, own(good))); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if err := secureStatus(t, r, trusting(t, files.CertFile)); status.Code(err) != codes.Unavailable {
		t.Errorf("without a certificate: %v", err)
	}
	if err := secureStatus(t, r, trusting(t, files.CertFile, own(bad))); status.Code(err) != codes.Unavailable {
		t.Errorf("with a certificate of another authority: %v", err)
	}
}

// TestRenewedCertificate checks that a certificate that changes is used without a
// restart, and that a broken one is not.
func TestRenewedCertificate(t *testing.T) {
	files, renewed := certificate(t), certificate(t)
	r := start(t, fmt.Sprintf("tls: {cert_file: %s, key_file: %s}\n", files.CertFile, files.KeyFile)+faultModels)
	old := trusting(t, files.CertFile)
	if err := secureStatus(t, r, old); err != nil {
		t.Fatal(err)
	}
	overwrite(t, files.KeyFile, "broken")
	eventually(t, func() bool {
		if err := secureStatus(t, r, old); err != nil {
			t.Fatalf("with a broken file: %v", err)
		}
		return strings.Contains(r.logs.String(), "cannot be read")
	})
	for from, to := range map[string]string{renewed.CertFile: files.CertFile, renewed.KeyFile: files.KeyFile} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, to, string(text))
	}
	eventually(t, func() bool { return secureStatus(t, r, trusting(t, renewed.CertFile)) == nil })
}

// TestServeTLSSelfSigned checks the first try: one flag.
func TestServeTLSSelfSigned(t *testing.T) {
	cfg := loadConfig(t, "tls: {self_signed: true}\n"+faultModels)
	out, ready := &lockedBuffer{}, make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ready <- Serve(ctx, cfg, "test", out, io.Discard) }()
	eventually(t, func() bool { return strings.Contains(out.String(), "https://") })
	file := filepath.Join(cfg.StateDir, "tls", "cert.pem")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ready; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := certificates.SelfSigned(filepath.Dir(file), time.Now()); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("a second start made another certificate")
	}
	if _, err := certificates.SelfSigned(filepath.Dir(file), time.Now().Add(350*24*time.Hour)); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(file); bytes.Equal(before, after) {
		t.Error("a certificate that ends soon was kept")
	}
}
