// Package auth decides who may call the server, and what for. A caller sends an
// API key, an access token that was made from one, or a token of an issuer, or is a user
// of a Unix socket; the file of keys and the configuration say what each allows. Every RPC and every HTTP
// route needs a rule in rules.go: what has none is refused.
package auth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// Role is a set of RPCs and routes.
type Role string

// The roles. None includes another.
const (
	// Infer allows requests for models.
	Infer Role = "infer"
	// Observe allows reading the state of the server and of its models.
	Observe Role = "observe"
	// Admin allows loading and unloading models, and the services for debugging.
	Admin Role = "admin"
	// Metrics allows reading /metrics.
	Metrics Role = "metrics"
)

// Roles returns all roles.
func Roles() []Role { return []Role{Infer, Observe, Admin, Metrics} }

// Caller is who makes a call, and what the caller may do. The zero value may do
// nothing.
type Caller struct {
	// ID is the public part of the caller's key, or identifies who has a token of an
	// issuer, or the user of a Unix socket; empty if callers need no credential.
	ID string
	// Name is the name of the key, or of the rights in the configuration.
	Name string
	// Subject says for whom the caller's token is; may be empty.
	Subject string
	// Limits are the limits of the key that differ from those of the server, by name;
	// see config.Quota. What callers of the same ID use counts together.
	Limits map[string]float64
	// Weight is the share of a busy model that the key gets, relative to other callers;
	// 0 counts as 1.
	Weight int

	rights rights
	// kind is the kind of the caller's credential.
	kind kind
	// makesTokens means that access tokens can be made from the key.
	makesTokens bool
	// valid ends with the key; nil: never.
	valid context.Context
	// expires is when the token ends; zero: the caller has none.
	expires time.Time
}

// kind is a kind of credentials.
type kind int

const (
	apiKey      kind = iota
	accessToken      // made from an API key
	issuerToken      // of an issuer
	unixUser         // what the kernel says of a Unix socket
)

// rights are what a caller may do. nil for tasks or models means all.
type rights struct {
	roles       []Role
	tasks       []string
	models      []string
	cloud       bool
	maxPriority gatewayv1.Priority
}

// and returns the rights that both give.
func (r rights) and(other rights) rights {
	return rights{
		roles:       both(r.roles, other.roles),
		tasks:       both(r.tasks, other.tasks),
		models:      both(r.models, other.models),
		cloud:       r.cloud && other.cloud,
		maxPriority: min(r.maxPriority, other.maxPriority),
	}
}

// both returns what is in both lists, of which nil means all.
func both[T comparable](a, b []T) []T {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return slices.DeleteFunc(slices.Clone(a), func(x T) bool { return !slices.Contains(b, x) })
}

// anyone is the caller of a server without keys, who may do everything.
var anyone = &Caller{rights: rights{roles: Roles(), cloud: true, maxPriority: gatewayv1.Priority_PRIORITY_CRITICAL}}

type callerKey struct{}

// WithCaller returns a context with the caller of a call.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(peers.WithKey(ctx, c.ID), callerKey{}, c)
}

// CallerOf returns the caller of a call. It never returns nil: a call that nothing
// has authenticated has a caller without rights.
func CallerOf(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return &Caller{}
}

// HasRole reports whether the caller has one of the roles.
func (c *Caller) HasRole(roles ...Role) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(c.rights.roles, r) })
}

// MayUseModel reports whether the caller may use a model.
func (c *Caller) MayUseModel(name string) bool {
	return c.rights.models == nil || slices.Contains(c.rights.models, name)
}

// MayUseCloud reports whether requests of the caller may leave the machine.
func (c *Caller) MayUseCloud() bool { return c.rights.cloud }

// MaxPriority returns the highest priority of the caller's requests.
func (c *Caller) MaxPriority() gatewayv1.Priority { return c.rights.maxPriority }

// CheckTask returns an error if the caller may not run a task, or not with this
// priority.
func (c *Caller) CheckTask(task string, priority gatewayv1.Priority) error {
	if c.rights.tasks != nil && !slices.Contains(c.rights.tasks, task) {
		return errs.New(errs.Forbidden, "%s does not allow the task %.100q", c.what(), task)
	}
	return c.CheckPriority(priority)
}

// CheckPriority returns an error if the caller may not ask for a priority.
func (c *Caller) CheckPriority(priority gatewayv1.Priority) error {
	if priority > c.rights.maxPriority {
		return errs.New(errs.Forbidden, "%s does not allow the priority %s: ask for a lower one, or for none",
			c.what(), priorityName(priority))
	}
	return nil
}

// CheckModel returns an error if the caller may not use a model.
func (c *Caller) CheckModel(name string) error {
	if !c.MayUseModel(name) {
		return errs.New(errs.Forbidden, "%s does not allow the model %.100q", c.what(), name)
	}
	return nil
}

// CheckSees returns an error if the caller may not see the state of a model, which
// serves these tasks: what a caller may not use is not shown to it.
func (c *Caller) CheckSees(model string, tasks []string) error {
	if err := c.CheckModel(model); err != nil {
		return err
	}
	if c.rights.tasks != nil && !slices.ContainsFunc(tasks, func(task string) bool { return slices.Contains(c.rights.tasks, task) }) {
		return errs.New(errs.Forbidden, "%s does not allow a task of the model %.100q", c.what(), model)
	}
	return nil
}

// CheckCloud returns an error if requests of the caller for a model in the cloud may
// not leave the machine.
func (c *Caller) CheckCloud(model string) error {
	if !c.MayUseCloud() {
		return errs.New(errs.Forbidden, "model %q runs in the cloud, and %s does not allow that", model, c.what()).With("model", model)
	}
	return nil
}

// what describes the caller's credential.
func (c *Caller) what() string {
	switch c.kind {
	case accessToken:
		return fmt.Sprintf("the access token of the API key %q", c.Name)
	case issuerToken:
		return fmt.Sprintf("the access token of a caller %q", c.Name)
	case unixUser:
		return fmt.Sprintf("the user %q", c.Name)
	default:
		return fmt.Sprintf("the API key %q", c.Name)
	}
}

// Owner identifies the caller among those who could take over what one of them has
// opened: the users of an app are different callers, though they have one key.
func (c *Caller) Owner() string {
	if c.kind == accessToken {
		return c.ID + "/" + c.Subject
	}
	return c.ID
}

// While returns a context that also ends when the caller's key or access token becomes
// invalid. The cause of its end is then the error of the call.
func (c *Caller) While(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stops := []func() bool{}
	if c.valid != nil {
		stops = append(stops, context.AfterFunc(c.valid, func() { cancel(c.errInvalid()) }))
	}
	if !c.expires.IsZero() {
		stops = append(stops, time.AfterFunc(time.Until(c.expires), func() { cancel(errExpiredToken()) }).Stop)
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}

func (c *Caller) errInvalid() error {
	if c.kind == accessToken {
		return errInvalidToken()
	}
	return errInvalidKey()
}

// errInvalidKey is the same for every key that is not valid: the reason would help
// only those who try keys.
func errInvalidKey() error {
	return errs.New(errs.Unauthenticated, "the API key is not valid: it is unknown, was revoked, or has expired")
}

// expired reports whether a time has passed; the zero time never does.
func expired(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
