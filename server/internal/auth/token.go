package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// An access token is a JWT that a back end makes from its API key for an app: for
// minutes, and with at most the rights of the key. It is signed with an Ed25519 key
// that is derived from the API key; the file of keys has the public half. So whoever
// has the API key can make tokens without the server, whoever reads the file cannot,
// and a key that is revoked takes its tokens with it.
const (
	// MaxTokenLifetime is how long an access token can be valid.
	MaxTokenLifetime = time.Hour
	// DefaultTokenLifetime is how long it is valid if its maker does not say.
	DefaultTokenLifetime = 10 * time.Minute
	// TokenAudience is the claim "aud" of access tokens.
	TokenAudience = "modelgateway"

	// tokenType is the header "typ" of access tokens. JWTs of other types are not for
	// this server, or from an issuer.
	tokenType = "modelgateway+jwt"
	// clockLeeway is how far the clock of a token's maker may be ahead.
	clockLeeway = 30 * time.Second
	// tokenKeyInfo names the use of the derived key; see RFC 5869.
	tokenKeyInfo = "modelgateway access tokens"
	// maxTokenBytes bounds what is parsed, maxTokenNames its lists, and maxSubject the
	// name of whom it is for.
	maxTokenBytes = 16 << 10
	maxTokenNames = 64
	maxSubject    = 128
)

// Token is what an access token is to allow. Every restriction is in addition to
// those of its key.
type Token struct {
	// Subject says for whom the token is, such as the id of an app's user; may be
	// empty. It appears in the log.
	Subject string
	// Lifetime is how long the token is valid; 0: DefaultTokenLifetime.
	Lifetime time.Duration
	// Tasks and Models are those that the token allows; empty: all of its key.
	Tasks, Models []string
	// MaxPriority is the highest priority of requests; empty: that of its key.
	MaxPriority config.Priority
	// Cloud allows requests that leave the server's machine, if the key does.
	Cloud bool
}

// tokenClaims are the claims of a token beside the registered ones.
type tokenClaims struct {
	Tasks       []string        `json:"tasks,omitempty"`
	Models      []string        `json:"models,omitempty"`
	MaxPriority config.Priority `json:"max_priority,omitempty"`
	Cloud       bool            `json:"cloud,omitempty"`
}

func (c tokenClaims) check() error {
	if len(c.Tasks) > maxTokenNames || len(c.Models) > maxTokenNames {
		return fmt.Errorf("an access token can have at most %d tasks and %d models", maxTokenNames, maxTokenNames)
	}
	if !slices.Contains([]config.Priority{"", "low", "normal", "high", "critical"}, c.MaxPriority) {
		return fmt.Errorf("the highest priority %.100q of an access token must be low, normal, high or critical", c.MaxPriority)
	}
	return nil
}

// tokenKey returns the private key that signs the access tokens of an API key.
func tokenKey(key string) ed25519.PrivateKey {
	seed, err := hkdf.Key(sha256.New, []byte(key), nil, tokenKeyInfo, ed25519.SeedSize)
	if err != nil {
		panic(err) // only for a length that SHA-256 does not allow
	}
	return ed25519.NewKeyFromSeed(seed)
}

// publicTokenKey returns the public half in the form of the file of keys.
func publicTokenKey(key string) string {
	public, _ := tokenKey(key).Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(public)
}

// readTokenKey reads what publicTokenKey writes.
func readTokenKey(text string) (ed25519.PublicKey, error) {
	public, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("its token_key is not a public key")
	}
	return public, nil
}

// Sign makes a token from an API key, and returns when it ends. The errors are
// INVALID_REQUEST.
func (t Token) Sign(key string, now time.Time) (token string, expires time.Time, err error) {
	match := keyFormat.FindStringSubmatch(key)
	if match == nil {
		return "", time.Time{}, errs.New(errs.InvalidRequest, "access tokens are made from an API key: \"modelgateway keys add\" makes one")
	}
	if t.Lifetime == 0 {
		t.Lifetime = DefaultTokenLifetime
	}
	if t.Lifetime < time.Second || t.Lifetime > MaxTokenLifetime {
		return "", time.Time{}, errs.New(errs.InvalidRequest, "an access token cannot be valid for %s: ask for 1s to %s", t.Lifetime, MaxTokenLifetime)
	}
	if !validSubject(t.Subject) {
		return "", time.Time{}, errs.New(errs.InvalidRequest, "the subject must be at most %d bytes of UTF-8 without control characters", maxSubject)
	}
	own := tokenClaims{Tasks: t.Tasks, Models: t.Models, MaxPriority: t.MaxPriority, Cloud: t.Cloud}
	if err := own.check(); err != nil {
		return "", time.Time{}, errs.New(errs.InvalidRequest, "%v", err)
	}
	now = now.UTC().Truncate(time.Second)
	expires = now.Add(t.Lifetime.Truncate(time.Second))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: tokenKey(key)},
		(&jose.SignerOptions{}).WithType(tokenType).WithHeader("kid", match[1]))
	if err != nil {
		return "", time.Time{}, err
	}
	token, err = jwt.Signed(signer).Claims(jwt.Claims{
		Subject: t.Subject, Audience: jwt.Audience{TokenAudience}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(expires),
	}).Claims(own).Serialize()
	if err == nil && len(token) > maxTokenBytes {
		err = errs.New(errs.InvalidRequest, "the access token has %d bytes: at most %d are possible; name fewer models", len(token), maxTokenBytes)
	}
	return token, expires, err
}

func validSubject(s string) bool {
	return len(s) <= maxSubject && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// CreateToken makes a token from the API key of a call. Rights that the key lacks are
// refused; if the key loses some later, so do its tokens.
func CreateToken(ctx context.Context, t Token) (token string, expires time.Time, err error) {
	caller := CallerOf(ctx)
	key, ok := keyOf(ctx)
	switch {
	case caller.ID == "":
		return "", time.Time{}, errs.New(errs.InvalidRequest, "this server needs no API key, so nobody needs an access token for it")
	case !ok:
		return "", time.Time{}, errs.New(errs.Forbidden, "access tokens are made from an API key: call with one, not with %s", caller.what())
	case !caller.makesTokens:
		return "", time.Time{}, errs.New(errs.Forbidden, "%s is of an older version and cannot make access tokens: make a new one with \"modelgateway keys add\"", caller.what())
	}
	for i, task := range t.Tasks {
		t.Tasks[i] = engines.CanonicalTask(task)
		if err := caller.CheckTask(t.Tasks[i], 0); err != nil {
			return "", time.Time{}, err
		}
	}
	for _, model := range t.Models {
		if err := caller.CheckModel(model); err != nil {
			return "", time.Time{}, err
		}
	}
	if t.MaxPriority != "" {
		if err := caller.CheckPriority(t.MaxPriority.Proto()); err != nil {
			return "", time.Time{}, err
		}
	}
	if t.Cloud && !caller.MayUseCloud() {
		return "", time.Time{}, errs.New(errs.Forbidden, "%s does not allow requests to the cloud", caller.what())
	}
	return t.Sign(key, time.Now())
}

// parseJWT reads a credential that looks like a JWT; ok is false for others.
func parseJWT(credential string, algorithms []jose.SignatureAlgorithm) (token *jwt.JSONWebToken, ok bool) {
	if len(credential) > maxTokenBytes || strings.Count(credential, ".") != 2 {
		return nil, false
	}
	token, err := jwt.ParseSigned(credential, algorithms)
	return token, err == nil && len(token.Headers) == 1
}

// findToken returns the caller with an access token. The error says only of a token
// with a valid signature what is wrong with it.
func (s *store) findToken(credential string) (*Caller, error) {
	token, ok := parseJWT(credential, []jose.SignatureAlgorithm{jose.EdDSA})
	if !ok || token.Headers[0].ExtraHeaders[jose.HeaderType] != tokenType {
		return nil, errInvalidToken()
	}
	s.mu.RLock()
	e := s.keys[token.Headers[0].KeyID]
	s.mu.RUnlock()
	now := s.now()
	if e == nil || e.tokenKey == nil || expired(e.expires, now) {
		return nil, errInvalidToken()
	}
	var claims jwt.Claims
	var own tokenClaims
	if err := token.Claims(e.tokenKey, &claims, &own); err != nil {
		return nil, errInvalidToken()
	}
	if err := checkTimes(claims, now); err != nil {
		return nil, err
	}
	switch {
	case claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > MaxTokenLifetime:
		return nil, errs.New(errs.Unauthenticated, "the access token is valid for longer than %s: make one for less", MaxTokenLifetime)
	case len(claims.Audience) != 1 || claims.Audience[0] != TokenAudience:
		return nil, errs.New(errs.Unauthenticated, "the access token is not for this server: its audience must be %q", TokenAudience)
	case !validSubject(claims.Subject):
		return nil, errs.New(errs.Unauthenticated, "the subject of the access token is too long, or has control characters")
	}
	if err := own.check(); err != nil {
		return nil, errs.New(errs.Unauthenticated, "%v", err)
	}
	caller := *e.caller
	caller.kind, caller.Subject, caller.makesTokens, caller.expires = accessToken, claims.Subject, false, claims.Expiry.Time()
	caller.rights = e.caller.rights.and(own.rights())
	return &caller, nil
}

func (c tokenClaims) rights() rights {
	own := rights{roles: []Role{Infer}, models: allIfEmpty(c.Models), cloud: c.Cloud, maxPriority: c.MaxPriority.Proto()}
	for _, task := range c.Tasks {
		own.tasks = append(own.tasks, engines.CanonicalTask(task))
	}
	if c.MaxPriority == "" {
		own.maxPriority = anyone.rights.maxPriority
	}
	return own
}

// checkTimes checks when a JWT is valid. It must say when it was made and when it ends.
func checkTimes(claims jwt.Claims, now time.Time) error {
	switch {
	case claims.IssuedAt == nil || claims.Expiry == nil:
		return errs.New(errs.Unauthenticated, "the access token must have the claims iat and exp")
	case expired(claims.Expiry.Time(), now):
		return errExpiredToken()
	case claims.IssuedAt.Time().After(now.Add(clockLeeway)) || claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(clockLeeway)):
		return errs.New(errs.Unauthenticated, "the access token is not valid yet: compare the clock of its maker with the server's")
	}
	return nil
}

// errInvalidToken is the same for every token without a valid signature.
func errInvalidToken() *errs.Error {
	return errs.New(errs.Unauthenticated, "the access token is not valid: it is not from an API key or an issuer that this server knows, or its key was revoked or has expired")
}

func errExpiredToken() error {
	return errs.New(errs.Unauthenticated, "the access token has expired: get a new one")
}
