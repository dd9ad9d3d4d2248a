package auth

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Header is the header, and in lower case the gRPC metadata, that has the key.
const Header = "Authorization"

// Scheme begins its value.
const Scheme = "Bearer "

// Authorizer decides about every call. All surfaces pass it: HTTP requests reach the
// services through the gRPC server of the process.
type Authorizer struct {
	keys *store // nil: callers need no key, and may do everything
}

// New returns the authorizer of a server. keysFile is its file of keys; without one,
// callers need no key. Follow must run, so that changes of the file are noticed.
func New(keysFile string, log *slog.Logger) (*Authorizer, error) {
	if keysFile == "" {
		return &Authorizer{}, nil
	}
	keys, err := openStore(keysFile, log, time.Now)
	if err != nil {
		return nil, err
	}
	return &Authorizer{keys: keys}, nil
}

// Follow follows the file of keys until ctx ends.
func (a *Authorizer) Follow(ctx context.Context) {
	if a.keys != nil {
		a.keys.follow(ctx)
	}
}

// Required reports whether callers need a key.
func (a *Authorizer) Required() bool { return a.keys != nil }

// Authenticate returns the caller who sends these values of the header. The error is
// UNAUTHENTICATED.
func (a *Authorizer) Authenticate(header []string) (*Caller, error) {
	if a.keys == nil {
		return anyone, nil
	}
	credential, err := bearer(header)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(credential, prefix) && strings.Contains(credential, ".") {
		return a.keys.findToken(credential)
	}
	if caller := a.keys.find(credential); caller != nil {
		return caller, nil
	}
	return nil, errInvalidKey()
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
		return nil, nil, err
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
	caller, err := a.Authenticate(metadata.ValueFromIncomingContext(ctx, strings.ToLower(Header)))
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
