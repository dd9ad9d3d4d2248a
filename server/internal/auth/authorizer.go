package auth

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// Header is the header, and in lower case the gRPC metadata, that has the key.
const Header = "Authorization"

// Scheme begins its value.
const Scheme = "Bearer "

// Authorizer decides about every call. All surfaces pass it: HTTP requests reach the
// services through the gRPC server of the process.
type Authorizer struct {
	keys    *store // nil: there are no API keys
	issuers []*issuer
	users   map[uint32]*Caller // of Unix sockets
	// required means that callers need a credential; otherwise they may do everything.
	required bool
	observer Observer // nil: nobody counts
}

// Observer learns of what was refused.
type Observer interface {
	// RequestDenied is called for every call that its credential does not allow. caller
	// is the name of the credential; empty if it is not valid.
	RequestDenied(caller string, err error)
}

// Required reports whether callers need a credential.
func (a *Authorizer) Required() bool { return a.required }

// Observe makes an observer count what is refused. It must be called before any call.
func (a *Authorizer) Observe(o Observer) { a.observer = o }

// Denied tells the observer of a refused call, and returns its error.
func (a *Authorizer) Denied(caller *Caller, err error) error {
	if a.observer != nil && a.required {
		name := ""
		if caller != nil {
			name = caller.Name
		}
		a.observer.RequestDenied(name, err)
	}
	return err
}

// New returns the authorizer of a server. Follow must run, so that changes of the file
// of keys and of the issuers' keys are noticed.
func New(cfg config.Auth, log *slog.Logger) (*Authorizer, error) {
	a := &Authorizer{required: cfg.Required(), users: map[uint32]*Caller{}}
	for _, u := range cfg.UnixUsers {
		a.users[*u.UID] = &Caller{ID: fmt.Sprintf("user-%d", *u.UID), Name: u.Name, Limits: u.Limits, Weight: u.Weight, kind: unixUser, rights: rightsOf(u.Rights)}
	}
	if cfg.KeysFile != "" {
		keys, err := openStore(cfg.KeysFile, log, time.Now)
		if err != nil {
			return nil, err
		}
		a.keys = keys
	}
	for _, one := range cfg.Issuers {
		a.issuers = append(a.issuers, newIssuer(one, log))
	}
	return a, nil
}

// Follow follows the file of keys and the keys of the issuers until ctx ends.
func (a *Authorizer) Follow(ctx context.Context) {
	var all sync.WaitGroup
	if a.keys != nil {
		all.Go(func() { a.keys.follow(ctx) })
	}
	for _, one := range a.issuers {
		all.Go(func() { one.keys.follow(ctx) })
	}
	all.Wait()
}

// Authenticate returns the caller who sends these values of the header. The error is
// UNAUTHENTICATED; FORBIDDEN for a valid token whose claims allow nothing.
func (a *Authorizer) Authenticate(ctx context.Context, header []string) (*Caller, error) {
	if !a.required {
		return anyone, nil
	}
	if uid, ok := peers.User(ctx); ok && len(header) == 0 && a.users[uid] != nil {
		return a.users[uid], nil
	}
	credential, err := bearer(header)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(credential, prefix) && strings.Contains(credential, ".") {
		return a.findToken(ctx, credential)
	}
	if a.keys != nil {
		if caller := a.keys.find(credential); caller != nil {
			return caller, nil
		}
	}
	return nil, errInvalidKey()
}

// KeyID returns the id of the API key of a caller who sends these values of the header:
// the key, or an access token of it. It is empty if they have no such key, and does not
// wait for an issuer.
func (a *Authorizer) KeyID(header []string) string {
	credential, err := bearer(header)
	if err != nil || a.keys == nil {
		return ""
	}
	if caller := a.keys.find(credential); caller != nil {
		return caller.ID
	}
	if caller, err := a.keys.findToken(credential); err == nil {
		return caller.ID
	}
	return ""
}

// findToken returns the caller with a JWT. What it says of itself, before its signature
// is checked, only decides who checks it.
func (a *Authorizer) findToken(ctx context.Context, credential string) (*Caller, error) {
	token, ok := parseJWT(credential, allAlgorithms())
	if !ok {
		return nil, errInvalidToken()
	}
	if token.Headers[0].ExtraHeaders[jose.HeaderType] == tokenType {
		if a.keys == nil {
			return nil, errInvalidToken()
		}
		return a.keys.findToken(credential)
	}
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, errInvalidToken()
	}
	for _, one := range a.issuers {
		if one.url == claims.Issuer {
			return one.find(ctx, credential)
		}
	}
	return nil, errInvalidToken()
}

func allAlgorithms() []jose.SignatureAlgorithm {
	all := make([]jose.SignatureAlgorithm, len(config.SigningAlgorithms)) // EdDSA among them
	for i, name := range config.SigningAlgorithms {
		all[i] = jose.SignatureAlgorithm(name)
	}
	return all
}

// bearer returns the credential in the values of the header.
func bearer(header []string) (string, error) {
	switch {
	case len(header) == 0 || len(header) == 1 && header[0] == "":
		return "", errs.New(errs.Unauthenticated, "this server needs an API key or an access token: send it in the header \"%s: %sKEY\"", Header, Scheme)
	case len(header) > 1:
		return "", errs.New(errs.Unauthenticated, "the header %s occurs more than once: send one API key", Header)
	case len(header[0]) < len(Scheme) || !strings.EqualFold(header[0][:len(Scheme)], Scheme):
		return "", errs.New(errs.Unauthenticated, "the header %s must have the form %q", Header, Scheme+"KEY")
	}
	return strings.TrimSpace(header[0][len(Scheme):]), nil
}

// keyOf returns the API key of a call that was authorized; ok is false if its
// credential is another.
func keyOf(ctx context.Context) (key string, ok bool) {
	credential, err := bearer(metadata.ValueFromIncomingContext(ctx, strings.ToLower(Header)))
	return credential, err == nil && keyFormat.MatchString(credential)
}

// Authorize decides about a call of an RPC, and returns its context with the caller.
// The context ends when the key becomes invalid. The returned function must be called
// when the call has ended.
func (a *Authorizer) Authorize(ctx context.Context, rpc string) (context.Context, context.CancelFunc, error) {
	caller, err := a.caller(ctx, rpc)
	if err != nil {
		return nil, nil, a.Denied(caller, err)
	}
	ctx, cancel := caller.While(WithCaller(ctx, caller))
	return ctx, cancel, nil
}

func (a *Authorizer) caller(ctx context.Context, rpc string) (*Caller, error) {
	r, ok := rules[rpc]
	if !ok {
		return nil, errs.New(errs.Forbidden, "the method %.200q has no rule that allows it", rpc)
	}
	if r.open {
		return &Caller{}, nil
	}
	caller, err := a.Authenticate(ctx, metadata.ValueFromIncomingContext(ctx, strings.ToLower(Header)))
	if err != nil {
		return nil, err
	}
	return caller, caller.Check(r.roles...)
}

// Check returns an error if the caller has none of the roles.
func (c *Caller) Check(roles ...Role) error {
	if c.HasRole(roles...) {
		return nil
	}
	return errs.New(errs.Forbidden, "%s does not have the role that this call needs: %s", c.what(), strings.Join(names(roles), " or "))
}
