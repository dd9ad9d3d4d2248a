package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// tokenOf makes a token with any claims and header, signed with any key.
func tokenOf(t *testing.T, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func openTestStore(t *testing.T, file string) *store {
	t.Helper()
	s, err := openStore(file, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWrongTokens checks what is wrong with a token one by one; the first is right.
func TestWrongTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	key := addKey(t, file, &Key{Name: "a", Roles: Roles()})
	other := addKey(t, file, &Key{Name: "b", Roles: Roles()})
	s := openTestStore(t, file)
	id, otherID := key[3:11], other[3:11]
	now := time.Now().Unix()
	header := func(change map[jose.HeaderKey]any) map[jose.HeaderKey]any {
		h := map[jose.HeaderKey]any{"typ": tokenType, "kid": id}
		for k, v := range change {
			h[k] = v
		}
		return h
	}
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"aud": TokenAudience, "iat": now, "exp": now + 60}
		for k, v := range change {
			if v == nil {
				delete(c, k)
				continue
			}
			c[k] = v
		}
		return c
	}
	good := func(change map[string]any) string {
		return tokenOf(t, jose.EdDSA, tokenKey(key), header(nil), claims(change))
	}
	if c, err := s.findToken(good(nil)); err != nil || c.Name != "a" || !c.HasRole(Infer) || c.HasRole(Observe, Admin, Metrics) {
		t.Fatalf("the right token: %+v, %v", c, err)
	}
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	public := tokenKey(key).Public().(ed25519.PublicKey)
	parts := strings.Split(good(nil), ".")
	for what, token := range map[string]string{
		"an unknown key":               tokenOf(t, jose.EdDSA, tokenKey(key), header(map[jose.HeaderKey]any{"kid": "aaaaaaaa"}), claims(nil)),
		"no kid":                       tokenOf(t, jose.EdDSA, tokenKey(key), map[jose.HeaderKey]any{"typ": tokenType}, claims(nil)),
		"another type":                 tokenOf(t, jose.EdDSA, tokenKey(key), header(map[jose.HeaderKey]any{"typ": "JWT"}), claims(nil)),
		"another key's signature":      tokenOf(t, jose.EdDSA, tokenKey(other), header(nil), claims(nil)),
		"another key's id":             tokenOf(t, jose.EdDSA, tokenKey(key), header(map[jose.HeaderKey]any{"kid": otherID}), claims(nil)),
		"a stranger's signature":       tokenOf(t, jose.EdDSA, stranger, header(nil), claims(nil)),
		"HMAC with the public key":     tokenOf(t, jose.HS256, []byte(public), header(nil), claims(nil)),
		"HMAC with the API key":        tokenOf(t, jose.HS256, []byte(key), header(nil), claims(nil)),
		"no algorithm":                 "eyJhbGciOiJub25lIiwidHlwIjoibW9kZWxnYXRld2F5K2p3dCJ9." + parts[1] + ".",
		"no signature":                 parts[0] + "." + parts[1] + ".",
		"other claims":                 parts[0] + "." + strings.Split(good(map[string]any{"cloud": true}), ".")[1] + "." + parts[2],
		"no expiry":                    good(map[string]any{"exp": nil}),
		"no time of issue":             good(map[string]any{"iat": nil}),
		"expired":                      good(map[string]any{"iat": now - 120, "exp": now - 60}),
		"a long life":                  good(map[string]any{"exp": now + 3602}),
		"a long life, issued long ago": good(map[string]any{"iat": now - 7200, "exp": now + 60}),
		"an endless life":              good(map[string]any{"exp": 1e18}),
		"issued in the future":         good(map[string]any{"iat": now + 300, "exp": now + 360}),
		"not valid yet":                good(map[string]any{"nbf": now + 300}),
		"another audience":             good(map[string]any{"aud": "another"}),
		"two audiences":                good(map[string]any{"aud": []string{TokenAudience, "another"}}),
		"no audience":                  good(map[string]any{"aud": nil}),
		"an unknown priority":          good(map[string]any{"max_priority": "top"}),
		"tasks that are no list":       good(map[string]any{"tasks": "chat"}),
		"too many models":              good(map[string]any{"models": strings.Split(strings.Repeat("m ", 65), " ")}),
		"a control character":          good(map[string]any{"sub": "a\nb"}),
		"a megabyte":                   good(map[string]any{"x": strings.Repeat("a", 1<<20)}),
		"empty parts":                  "..",
		"four parts":                   good(nil) + ".x",
	} {
		if c, err := s.findToken(token); errs.ReasonOf(err) != errs.Unauthenticated || c != nil {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
}

// TestTokenHasAtMostTheRightsOfItsKey checks every right in both directions.
func TestTokenHasAtMostTheRightsOfItsKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	wide := addKey(t, file, &Key{Name: "wide", Roles: Roles(), Cloud: true, MaxPriority: "critical"})
	narrow := addKey(t, file, &Key{Name: "narrow", Roles: []Role{Infer}, Tasks: []string{"chat"}, Models: []string{"m"}, MaxPriority: "low"})
	watcher := addKey(t, file, &Key{Name: "watcher", Roles: []Role{Observe}})
	s := openTestStore(t, file)
	const low, high = gatewayv1.Priority_PRIORITY_LOW, gatewayv1.Priority_PRIORITY_HIGH
	use := func(key string, token Token) *Caller {
		text, _, err := token.Sign(key, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.findToken(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	all := use(wide, Token{})
	if all.CheckTask("chat", high) != nil || all.CheckModel("m") != nil || all.MayUseCloud() {
		t.Error("a token without restrictions has those of its key, but no cloud")
	}
	if c := use(wide, Token{Tasks: []string{"stt"}, Models: []string{"n"}, MaxPriority: "normal", Cloud: true}); c.CheckTask("transcribe", low) != nil ||
		c.CheckTask("chat", low) == nil || c.CheckTask("transcribe", high) == nil || c.CheckModel("n") != nil || c.CheckModel("m") == nil || !c.MayUseCloud() {
		t.Errorf("a restricted token: %+v", c)
	}
	more := use(narrow, Token{Tasks: []string{"chat", "transcribe"}, Models: []string{"m", "n"}, MaxPriority: "critical", Cloud: true})
	if more.CheckTask("chat", low) != nil || more.CheckTask("transcribe", low) == nil || more.CheckTask("chat", high) == nil ||
		more.CheckModel("m") != nil || more.CheckModel("n") == nil || more.MayUseCloud() {
		t.Errorf("a token that asks for more than its key: %+v", more)
	}
	if c := use(narrow, Token{Tasks: []string{"transcribe"}, Models: []string{"n"}}); c.CheckTask("chat", low) == nil || c.CheckTask("transcribe", low) == nil ||
		c.MayUseModel("m") || c.MayUseModel("n") {
		t.Errorf("a token that has nothing in common with its key: %+v", c)
	}
	if use(watcher, Token{}).HasRole(Roles()...) {
		t.Error("the token of a key that only observes has a role")
	}
	if a, b := use(wide, Token{Subject: "a"}), use(wide, Token{Subject: "b"}); a.Owner() == b.Owner() || a.Owner() == a.ID || a.ID != b.ID {
		t.Errorf("owners %q and %q", a.Owner(), b.Owner())
	}
}

// TestTokenEnds checks that a token and its calls end at its time, and with its key.
func TestTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "keys.yaml")
		key := addKey(t, file, &Key{Name: "a", Roles: Roles()})
		a, err := New(config.Auth{KeysFile: file}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		following, stop := context.WithCancel(t.Context())
		go a.Follow(following)
		call := func(lifetime time.Duration) (context.Context, context.Context, context.CancelFunc) {
			token, _, err := Token{Lifetime: lifetime}.Sign(key, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+token))
			running, end, err := a.Authorize(ctx, gatewayv1.ModelGatewayService_Chat_FullMethodName)
			if err != nil {
				t.Fatal(err)
			}
			return ctx, running, end
		}
		ctx, short, end := call(time.Minute)
		defer end()
		_, long, end := call(time.Hour)
		defer end()
		time.Sleep(59 * time.Second)
		if short.Err() != nil {
			t.Error("the call ended before its token")
		}
		if _, has := short.Deadline(); has {
			t.Error("the token's end is the deadline of its call: the queue would refuse the call in advance")
		}
		time.Sleep(2 * time.Second)
		if err := context.Cause(short); errs.ReasonOf(err) != errs.Unauthenticated || !strings.Contains(err.Error(), "expired") {
			t.Errorf("the call ended with %v", err)
		}
		if _, _, err := a.Authorize(ctx, gatewayv1.ModelGatewayService_Chat_FullMethodName); errs.ReasonOf(err) != errs.Unauthenticated {
			t.Errorf("with the expired token: %v", err)
		}
		if _, err := RevokeKey(file, "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if errs.ReasonOf(context.Cause(long)) != errs.Unauthenticated {
			t.Errorf("the call of the revoked key's token ended with %v", context.Cause(long))
		}
		stop()
		synctest.Wait()
	})
}
