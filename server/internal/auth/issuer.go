package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// issuer accepts the JWTs of an OpenID Connect issuer.
type issuer struct {
	url      string
	keys     *remoteKeys
	verifier *oidc.IDTokenVerifier
	callers  []issuerCaller
}

// issuerCaller is what tokens with certain claims allow.
type issuerCaller struct {
	claims map[string]string
	caller Caller
}

func newIssuer(cfg config.Issuer, log *slog.Logger) *issuer {
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{"RS256"}
	}
	keys := newRemoteKeys(cfg.URL, cfg.Algorithms, log)
	is := &issuer{
		url: cfg.URL, keys: keys,
		verifier: oidc.NewVerifier(cfg.URL, keys, &oidc.Config{ClientID: cfg.Audience, SupportedSigningAlgs: cfg.Algorithms}),
	}
	for _, c := range cfg.Callers {
		is.callers = append(is.callers, issuerCaller{claims: c.Claims, caller: Caller{Name: c.Name, Limits: c.Limits, Weight: c.Weight, kind: issuerToken, rights: rightsOf(c.Rights)}})
	}
	return is
}

// rightsOf converts rights of the configuration, which has checked them.
func rightsOf(r config.Rights) rights {
	out := rights{models: allIfEmpty(r.Models), cloud: r.Cloud, maxPriority: r.MaxPriority.Proto()}
	for _, role := range r.Roles {
		out.roles = append(out.roles, Role(role))
	}
	for _, task := range r.Tasks {
		out.tasks = append(out.tasks, engines.CanonicalTask(task))
	}
	return out
}

// find returns the caller with a token of the issuer.
func (is *issuer) find(ctx context.Context, credential string) (*Caller, error) {
	token, err := is.verifier.Verify(ctx, credential)
	switch {
	case errors.As(err, new(*oidc.TokenExpiredError)):
		return nil, errExpiredToken()
	case err != nil && is.keys.empty():
		return nil, errs.New(errs.Unauthenticated, "tokens of this issuer cannot be checked now, because its keys cannot be read: try again later, or see the server's log").WithCause(err)
	case err != nil:
		return nil, errs.New(errs.Unauthenticated, "the access token is not valid: its signature, audience or times are wrong").WithCause(err)
	case token.Subject == "":
		return nil, errs.New(errs.Unauthenticated, "the access token is not valid: it has no subject")
	}
	claims, err := claimsOf(token)
	if err != nil {
		return nil, errInvalidToken().WithCause(err)
	}
	for _, c := range is.callers {
		if !c.matches(claims) {
			continue
		}
		caller := c.caller
		// The users of an issuer are callers of their own, as the holders of keys are.
		id := sha256.Sum256([]byte(is.url + "\x00" + token.Subject))
		caller.ID, caller.expires = "jwt-"+encoding.EncodeToString(id[:idBytes*2]), token.Expiry
		if validSubject(token.Subject) {
			caller.Subject = token.Subject
		}
		return &caller, nil
	}
	return nil, errs.New(errs.Forbidden, "the access token has none of the claims that this server asks for (auth.issuers, callers)")
}

// claimsOf returns the claims of a token, with numbers as they are written.
func claimsOf(token *oidc.IDToken) (map[string]any, error) {
	var raw json.RawMessage
	if err := token.Claims(&raw); err != nil {
		return nil, err
	}
	claims := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return claims, d.Decode(&claims)
}

// matches reports whether a token has all claims that the entry asks for.
func (c issuerCaller) matches(claims map[string]any) bool {
	for name, want := range c.claims {
		if !hasValue(name, claimOf(claims, name), want) {
			return false
		}
	}
	return true
}

// claimOf returns a claim. The names of some contain dots, because they are URLs; in
// others dots lead to a claim within a claim.
func claimOf(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	first, rest, nested := strings.Cut(name, ".")
	if inner, ok := claims[first].(map[string]any); ok && nested {
		return claimOf(inner, rest)
	}
	return nil
}

// hasValue reports whether a claim is a value, or a list with it. A scope is a list with
// spaces; see RFC 8693.
func hasValue(name string, claim any, want string) bool {
	switch v := claim.(type) {
	case nil:
		return false
	case string:
		return v == want || name == "scope" && slices.Contains(strings.Fields(v), want)
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return hasValue("", one, want) })
	case map[string]any:
		return false
	default:
		return fmt.Sprint(v) == want // a json.Number or a bool
	}
}
