package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// testIssuer is an OpenID Connect issuer at a real address.
type testIssuer struct {
	*httptest.Server
	reads atomic.Int64 // of the keys

	mu       sync.Mutex
	keys     []jose.JSONWebKey
	keysURL  string           // in place of its own
	behave   http.HandlerFunc // in place of the keys
	discover http.HandlerFunc // in place of the discovery
}

func startIssuer(t *testing.T, keys ...jose.JSONWebKey) *testIssuer {
	t.Helper()
	is := &testIssuer{keys: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		is.mu.Lock()
		discover, keysURL := is.discover, is.keysURL
		is.mu.Unlock()
		if discover != nil {
			discover(w, r)
			return
		}
		if keysURL == "" {
			keysURL = is.URL + "/keys"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": is.URL, "jwks_uri": keysURL, "authorization_endpoint": is.URL + "/auth", "token_endpoint": is.URL + "/token",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		is.reads.Add(1)
		is.mu.Lock()
		keys, behave := is.keys, is.behave
		is.mu.Unlock()
		if behave != nil {
			behave(w, r)
			return
		}
		// Keys of types that the server does not know come with those that it does.
		all := []any{map[string]string{"kty": "OKP", "crv": "X25519", "kid": "x", "use": "sig", "x": "AAAA"}, map[string]string{"kty": "new"}}
		for _, key := range keys {
			all = append(all, key)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": all})
	})
	is.Server = httptest.NewServer(mux)
	t.Cleanup(is.Close)
	return is
}

func (is *testIssuer) set(change func()) {
	is.mu.Lock()
	defer is.mu.Unlock()
	change()
}

// claims are those of a good token, with changes; nil removes one.
func (is *testIssuer) claims(change map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{"iss": is.URL, "aud": "gateway", "sub": "user-7", "iat": now, "exp": now + 600, "groups": []string{"pupils"}}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(id string, key crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: id, Use: "sig"}
}

func named(id string) map[jose.HeaderKey]any {
	return map[jose.HeaderKey]any{"kid": id, "typ": "JWT"}
}

// follows returns an authorizer with the issuer, whose keys have been read unless it
// fails.
func (is *testIssuer) follows(t *testing.T, change func(*config.Issuer)) *Authorizer {
	t.Helper()
	cfg := config.Issuer{URL: is.URL, Audience: "gateway", Callers: []config.IssuerCaller{
		{Rights: config.Rights{Name: "teachers", Roles: []string{"infer", "observe"}, MaxPriority: "high"}, Claims: map[string]string{"groups": "teachers"}},
		{Rights: config.Rights{Name: "pupils", Roles: []string{"infer"}, Tasks: []string{"stt"}, Models: []string{"m"},
			Limits: map[string]float64{"tokens_per_minute": 60}, Weight: 2}, Claims: map[string]string{"groups": "pupils"}},
	}}
	if change != nil {
		change(&cfg)
	}
	a, err := New(config.Auth{Issuers: []config.Issuer{cfg}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.issuers[0].keys.pause = 0
	return a
}

func as(t *testing.T, a *Authorizer, token string) (*Caller, error) {
	t.Helper()
	return a.Authenticate(t.Context(), []string{"Bearer " + token})
}

// TestIssuerTokens checks right and wrong tokens of an issuer.
func TestIssuerTokens(t *testing.T) {
	key, other := rsaKey(t), rsaKey(t)
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := startIssuer(t, public("rsa", &key.PublicKey), public("ec", &elliptical.PublicKey), public("ed", edPublic),
		jose.JSONWebKey{Key: []byte("a shared secret of 32 bytes here"), KeyID: "oct"},
		jose.JSONWebKey{Key: &other.PublicKey, KeyID: "encryption", Use: "enc"})
	a := is.follows(t, nil)
	sign := func(change map[string]any) string {
		return tokenOf(t, jose.RS256, key, named("rsa"), is.claims(change))
	}

	pupil, err := as(t, a, sign(nil))
	if err != nil {
		t.Fatal(err)
	}
	if pupil.Name != "pupils" || pupil.Subject != "user-7" || !pupil.HasRole(Infer) || pupil.HasRole(Observe, Admin, Metrics) || pupil.MayUseCloud() ||
		pupil.CheckTask("transcribe", 0) != nil || pupil.CheckTask("chat", 0) == nil || pupil.CheckModel("n") == nil ||
		pupil.MaxPriority() != gatewayv1.Priority_PRIORITY_NORMAL || pupil.expires.IsZero() ||
		pupil.Limits["tokens_per_minute"] != 60 || pupil.Weight != 2 {
		t.Errorf("%+v", pupil)
	}
	teacher, err := as(t, a, sign(map[string]any{"groups": []string{"x", "teachers", "pupils"}, "sub": "user-8"}))
	if err != nil || teacher.Name != "teachers" || !teacher.HasRole(Observe) || teacher.CheckTask("chat", 0) != nil || teacher.ID == pupil.ID || teacher.Owner() == pupil.Owner() {
		t.Errorf("%+v, %v", teacher, err)
	}
	if again, err := as(t, a, sign(map[string]any{"jti": "another"})); err != nil || again.ID != pupil.ID {
		t.Errorf("another token of the same user: %+v, %v", again, err)
	}
	if _, err := as(t, a, sign(map[string]any{"aud": []string{"another", "gateway"}})); err != nil {
		t.Errorf("one of two audiences: %v", err)
	}
	if _, err := as(t, a, tokenOf(t, jose.RS256, key, nil, is.claims(nil))); err != nil {
		t.Errorf("a token that does not name its key: %v", err)
	}

	now := time.Now().Unix()
	parts := strings.Split(sign(nil), ".")
	for what, token := range map[string]string{
		"no signature":                     parts[0] + "." + parts[1] + ".",
		"the algorithm none":               "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"other claims":                     parts[0] + "." + strings.Split(sign(map[string]any{"groups": "teachers"}), ".")[1] + "." + parts[2],
		"an algorithm that is not pinned":  tokenOf(t, jose.RS512, key, named("rsa"), is.claims(nil)),
		"a key of another algorithm":       tokenOf(t, jose.ES256, elliptical, named("ec"), is.claims(nil)),
		"another of another algorithm":     tokenOf(t, jose.EdDSA, ed, named("ed"), is.claims(nil)),
		"the published shared secret":      tokenOf(t, jose.HS256, []byte("a shared secret of 32 bytes here"), named("oct"), is.claims(nil)),
		"the public key as shared secret":  tokenOf(t, jose.HS256, key.N.Bytes(), named("rsa"), is.claims(nil)),
		"a stranger's key":                 tokenOf(t, jose.RS256, other, named("rsa"), is.claims(nil)),
		"a key for encryption":             tokenOf(t, jose.RS256, other, named("encryption"), is.claims(nil)),
		"a key in the token":               tokenOf(t, jose.RS256, other, map[jose.HeaderKey]any{"jwk": public("", &other.PublicKey)}, is.claims(nil)),
		"an unknown key":                   tokenOf(t, jose.RS256, key, named("../../keys"), is.claims(nil)),
		"the type of the server's tokens":  tokenOf(t, jose.RS256, key, map[jose.HeaderKey]any{"kid": "rsa", "typ": tokenType}, is.claims(nil)),
		"another issuer":                   sign(map[string]any{"iss": is.URL + "/"}),
		"no issuer":                        sign(map[string]any{"iss": nil}),
		"another audience":                 sign(map[string]any{"aud": "another"}),
		"no audience":                      sign(map[string]any{"aud": nil}),
		"expired":                          sign(map[string]any{"exp": now - 1}),
		"no expiry":                        sign(map[string]any{"exp": nil}),
		"not valid yet":                    sign(map[string]any{"nbf": now + 3600}),
		"no subject":                       sign(map[string]any{"sub": nil}),
		"a subject that is no text":        sign(map[string]any{"sub": 7}),
		"more bytes than a token can have": sign(map[string]any{"x": strings.Repeat("a", 1<<20)}),
		"an API key":                       "mg_aaaaaaaa_" + strings.Repeat("a", 52),
	} {
		if c, err := as(t, a, token); errs.ReasonOf(err) != errs.Unauthenticated || c != nil {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	for what, groups := range map[string]any{"no group": nil, "another group": "x", "a number": 7, "a map": map[string]any{"pupils": true}, "part of a name": "pupils2"} {
		if c, err := as(t, a, sign(map[string]any{"groups": groups})); errs.ReasonOf(err) != errs.Forbidden || c != nil {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	pinned := is.follows(t, func(c *config.Issuer) { c.Algorithms = []string{"EdDSA", "ES256"} })
	for algorithm, private := range map[jose.SignatureAlgorithm]any{jose.EdDSA: ed, jose.ES256: elliptical} {
		if _, err := as(t, pinned, tokenOf(t, algorithm, private, map[jose.HeaderKey]any{}, is.claims(nil))); err != nil {
			t.Errorf("%s, which is pinned: %v", algorithm, err)
		}
	}
	if _, err := as(t, pinned, sign(nil)); errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("RS256 where it is not pinned: %v", err)
	}
}

// TestClaims checks how claims are found and compared.
func TestClaims(t *testing.T) {
	claims := map[string]any{
		"scope": "read speak", "text": "read speak", "admin": true, "level": json.Number("3"), "roles": []any{"a", json.Number("2")}, "tenant": json.Number("1234567"),
		"realm_access": map[string]any{"roles": []any{"tutor"}}, "https://example.org/plan": "gold", "null": nil,
	}
	for name, cases := range map[string]map[string]bool{
		"scope": {"speak": true, "read speak": true, "spea": false}, "text": {"speak": false, "read speak": true},
		"admin": {"true": true, "false": false}, "level": {"3": true}, "tenant": {"1234567": true, "1234568": false}, "roles": {"a": true, "2": true, "b": false},
		"realm_access.roles": {"tutor": true, "x": false}, "https://example.org/plan": {"gold": true}, "realm_access": {"tutor": false},
		"null": {"": false, "<nil>": false}, "none": {"": false}, "scope.x": {"": false},
	} {
		for want, ok := range cases {
			if got := (issuerCaller{claims: map[string]string{name: want}}).matches(claims); got != ok {
				t.Errorf("%s is %q: %v", name, want, got)
			}
		}
	}
	if !(issuerCaller{}).matches(claims) || (issuerCaller{claims: map[string]string{"admin": "true", "level": "4"}}).matches(claims) {
		t.Error("an entry without claims takes all, and one with two needs both")
	}
}

// TestIssuerRotatesItsKeys checks that a new key is found, an old one dropped, and that
// wrong tokens do not make the server ask the issuer each time.
func TestIssuerRotatesItsKeys(t *testing.T) {
	first, second := rsaKey(t), rsaKey(t)
	is := startIssuer(t, public("1", &first.PublicKey))
	a := is.follows(t, nil)
	with := func(id string, key *rsa.PrivateKey) error {
		_, err := as(t, a, tokenOf(t, jose.RS256, key, named(id), is.claims(nil)))
		return err
	}
	for range 10 {
		if err := with("1", first); err != nil {
			t.Fatal(err)
		}
	}
	if n := is.reads.Load(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
	is.set(func() { is.keys = []jose.JSONWebKey{public("2", &second.PublicKey)} })
	if err := with("1", first); err != nil {
		t.Errorf("a token of a cached key: %v", err)
	}
	if err := with("2", second); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	tenant := issuerCaller{claims: map[string]string{"tenant": "12345678"}, caller: Caller{Name: "tenant"}}
	a.issuers[0].callers = append([]issuerCaller{tenant}, a.issuers[0].callers...)
	if caller, err := as(t, a, tokenOf(t, jose.RS256, second, named("2"), is.claims(map[string]any{"tenant": 12345678}))); err != nil || caller.Name != "tenant" {
		t.Errorf("a token with a number: %v, %v", caller, err)
	}
	if err := with("1", first); errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("a token of a key that the issuer has dropped: %v", err)
	}
	a.issuers[0].keys.pause = time.Hour
	before := is.reads.Load()
	for range 100 {
		_ = with("3", first)
	}
	if n := is.reads.Load() - before; n > 0 {
		t.Errorf("wrong tokens made the server read the keys %d times", n)
	}
	if err := with("2", second); err != nil {
		t.Errorf("a right token beside wrong ones: %v", err)
	}
}

// TestIssuerMisbehaves checks that an issuer that hangs, or answers too much or nonsense,
// harms neither the server nor those whose keys are known.
func TestIssuerMisbehaves(t *testing.T) {
	key, other := rsaKey(t), rsaKey(t)
	is := startIssuer(t, public("1", &key.PublicKey))
	a := is.follows(t, nil)
	keys := a.issuers[0].keys
	right := tokenOf(t, jose.RS256, key, named("1"), is.claims(nil))
	unknown := tokenOf(t, jose.RS256, other, named("2"), is.claims(nil))
	if _, err := as(t, a, right); err != nil {
		t.Fatal(err)
	}

	hanging, release := make(chan struct{}, 1), make(chan struct{})
	is.set(func() {
		is.behave = func(_ http.ResponseWriter, r *http.Request) {
			hanging <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	})
	waiting, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := a.Authenticate(waiting, []string{"Bearer " + unknown})
		ended <- err
	}()
	<-hanging
	if _, err := as(t, a, right); err != nil {
		t.Errorf("a right token while the issuer hangs: %v", err)
	}
	leave()
	if err := <-ended; errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("who left while the issuer hangs: %v", err)
	}
	close(release)
	_, _ = as(t, a, unknown) // until that read has ended
	keys.client.Timeout = 50 * time.Millisecond
	is.set(func() { is.behave = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } })
	if _, err := as(t, a, unknown); errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("when the issuer has hung: %v", err)
	}
	keys.client.Timeout = keysTimeout

	var sent atomic.Int64
	is.set(func() {
		is.behave = func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[`))
			block := []byte(strings.Repeat(" ", 1<<20))
			for range 1 << 10 {
				n, err := w.Write(block)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		}
	})
	if _, err := as(t, a, unknown); errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("with a gigabyte of keys: %v", err)
	}
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("the server took %d bytes", n)
	}

	many := make([]jose.JSONWebKey, maxIssuerKeys+1)
	for i := range many {
		many[i] = public("", &key.PublicKey)
	}
	manyText, _ := json.Marshal(jose.JSONWebKeySet{Keys: many})
	for what, text := range map[string]string{"no JSON": "<html>", "no keys": "{}", "a list": "[]", "too many keys": string(manyText), "a broken key": `{"keys":[{"kty":"RSA","n":"","e":""}]}`} {
		is.set(func() { is.behave = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) } })
		before := is.reads.Load()
		if _, err := as(t, a, unknown); errs.ReasonOf(err) != errs.Unauthenticated || is.reads.Load() == before {
			t.Errorf("%s: %v, %d reads", what, err, is.reads.Load()-before)
		}
		if _, err := as(t, a, right); err != nil {
			t.Errorf("a right token after %s: %v", what, err)
		}
	}
	is.set(func() { is.behave = nil; is.keysURL = "file:///etc/passwd" })
	if err := keys.read(); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("keys in a file: %v", err)
	}
	is.set(func() {
		is.keysURL = ""
		is.behave = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	})
	if err := keys.read(); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("keys elsewhere: %v", err)
	}
	is.set(func() {
		is.discover = func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"https://another.example"}`))
		}
	})
	if err := keys.read(); err == nil || !strings.Contains(err.Error(), "another.example") {
		t.Errorf("the discovery of another issuer: %v", err)
	}
	is.set(func() { is.discover, is.behave = nil, nil })
	if err := keys.read(); err != nil {
		t.Error(err)
	}
}

// TestIssuerIsNotThere checks what callers are told of an issuer that cannot be reached.
func TestIssuerIsNotThere(t *testing.T) {
	key := rsaKey(t)
	is := startIssuer(t, public("1", &key.PublicKey))
	a := is.follows(t, nil)
	token := tokenOf(t, jose.RS256, key, named("1"), is.claims(nil))
	is.set(func() {
		is.discover = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	})
	if _, err := as(t, a, token); errs.ReasonOf(err) != errs.Unauthenticated || !strings.Contains(err.Error(), "later") {
		t.Errorf("%v", err)
	}
	is.set(func() { is.discover = nil })
	if _, err := as(t, a, token); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}
