package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	// keysInterval is how often the keys of an issuer are read again, and
	// failedInterval how soon after a failure.
	keysInterval   = 10 * time.Minute
	failedInterval = time.Minute
	// keysPause is between two reads that requests cause: anyone can send a token that
	// seems to need a new key.
	keysPause = 10 * time.Second
	// keysTimeout bounds one read, maxKeysBytes each answer, and maxIssuerKeys the keys
	// that are tried for a token that does not name its own.
	keysTimeout   = 10 * time.Second
	maxKeysBytes  = 1 << 20
	maxIssuerKeys = 64
)

// remoteKeys are the public keys of an issuer. They are read again from time to time,
// and when a token has another key. Those of the library that go-oidc has are read at
// every wrong token, and never dropped. If the issuer does not answer, the last ones
// stay valid.
type remoteKeys struct {
	issuer     string
	algorithms []jose.SignatureAlgorithm
	client     *http.Client
	log        *slog.Logger
	pause      time.Duration // keysPause, but for tests

	current atomic.Pointer[[]jose.JSONWebKey]
	reading singleflight.Group
	ended   time.Time // of the last read; only within reading
	told    string    // the last problem in the log; only within reading
}

var _ oidc.KeySet = (*remoteKeys)(nil)

func newRemoteKeys(issuer string, algorithms []string, log *slog.Logger) *remoteKeys {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // as net/http documents it
	transport.MaxResponseHeaderBytes = 64 << 10
	k := &remoteKeys{
		issuer: issuer, log: log, pause: keysPause,
		client: &http.Client{
			Timeout: keysTimeout, Transport: boundedBodies{transport},
			// Keys come from the addresses that the configuration and the issuer name.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, a := range algorithms {
		k.algorithms = append(k.algorithms, jose.SignatureAlgorithm(a))
	}
	k.current.Store(&[]jose.JSONWebKey{})
	return k
}

func (k *remoteKeys) empty() bool { return len(*k.current.Load()) == 0 }

// follow reads the keys from time to time until ctx ends.
func (k *remoteKeys) follow(ctx context.Context) {
	for {
		wait := keysInterval
		if _, err, _ := k.reading.Do("", func() (any, error) { return nil, k.read() }); err != nil {
			wait = failedInterval
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			k.client.CloseIdleConnections()
			return
		}
	}
}

// VerifySignature implements oidc.KeySet.
func (k *remoteKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, k.algorithms)
	if err != nil {
		return nil, err
	}
	before := k.current.Load()
	if payload, ok := verifyWith(*before, jws); ok {
		return payload, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // the caller does not wait
	}
	// Perhaps the issuer has a new key. Requests that wait for one read share it.
	read := k.reading.DoChan("", func() (any, error) {
		if time.Since(k.ended) < k.pause {
			return nil, nil
		}
		return nil, k.read()
	})
	select {
	case <-read:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if after := k.current.Load(); after != before {
		if payload, ok := verifyWith(*after, jws); ok {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer made this signature")
}

func verifyWith(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) (payload []byte, ok bool) {
	if len(jws.Signatures) != 1 {
		return nil, false
	}
	header := jws.Signatures[0].Header
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// read reads the keys. It runs only within reading.
func (k *remoteKeys) read() error {
	ctx, cancel := context.WithTimeout(context.Background(), keysTimeout)
	defer cancel()
	keys, err := k.fetch(ctx)
	k.ended = time.Now()
	if err != nil {
		if k.told != err.Error() {
			k.log.Error("the keys of an issuer of tokens cannot be read; those that were read before stay valid", "issuer", k.issuer, "error", err.Error())
		}
		k.told = err.Error()
		return err
	}
	k.told = ""
	k.current.Store(&keys)
	k.log.Debug("read the keys of an issuer of tokens", "issuer", k.issuer, "keys", len(keys))
	return nil
}

// fetch asks the issuer where its keys are, and reads them.
func (k *remoteKeys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.issuer)
	if err != nil {
		return nil, err
	}
	var about struct {
		KeysURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&about); err != nil {
		return nil, err
	}
	if u, err := url.Parse(about.KeysURL); err != nil || u.Scheme != "https" && u.Scheme != mustScheme(k.issuer) {
		return nil, fmt.Errorf("its jwks_uri %.200q is no https URL", about.KeysURL)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, about.KeysURL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", about.KeysURL, resp.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return nil, fmt.Errorf("%s has no key set: %w", about.KeysURL, err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(raw, &key); err != nil {
			continue // keys of unknown types are ignored; see RFC 7517, section 5
		}
		// Not those for encryption, and no shared secrets.
		if key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 || len(keys) > maxIssuerKeys {
		return nil, fmt.Errorf("%s has %d public keys for signatures: 1 to %d are possible", about.KeysURL, len(keys), maxIssuerKeys)
	}
	return keys, nil
}

// mustScheme returns the scheme of a URL that the configuration has checked: http only
// for this machine.
func mustScheme(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme
}

// boundedBodies is a transport whose answers end with an error when they are longer
// than maxKeysBytes, decompressed.
type boundedBodies struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b boundedBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxKeysBytes)
	return resp, nil
}
