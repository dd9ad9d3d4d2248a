// Package auth decides who may call the server, and what for. A caller sends an
// API key; the file of keys says what each key allows. Every RPC and every HTTP
// route needs a rule in rules.go: what has none is refused.
package auth

import (
	"context"
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
	// ID is the public part of the caller's key; empty if callers need no key.
	ID string
	// Name is the name of the key.
	Name string
	// Limits are the limits of the key that differ from those of the server, by name;
	// see config.Quota. What callers of the same ID use counts together.
	Limits map[string]float64
	// Weight is the share of a busy model that the key gets, relative to other callers;
	// 0 counts as 1.
	Weight int

	rights rights
	// valid ends with the key; nil: never.
	valid context.Context
}

// rights are what a caller may do. An empty list of tasks or models means all.
type rights struct {
	roles       []Role
	tasks       []string
	models      []string
	cloud       bool
	maxPriority gatewayv1.Priority
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
	return len(c.rights.models) == 0 || slices.Contains(c.rights.models, name)
}

// MayUseCloud reports whether requests of the caller may leave the machine.
func (c *Caller) MayUseCloud() bool { return c.rights.cloud }

// MaxPriority returns the highest priority of the caller's requests.
func (c *Caller) MaxPriority() gatewayv1.Priority { return c.rights.maxPriority }

// CheckTask returns an error if the caller may not run a task, or not with this
// priority.
func (c *Caller) CheckTask(task string, priority gatewayv1.Priority) error {
	if len(c.rights.tasks) > 0 && !slices.Contains(c.rights.tasks, task) {
		return errs.New(errs.Forbidden, "the API key %q does not allow the task %.100q", c.Name, task)
	}
	return c.CheckPriority(priority)
}

// CheckPriority returns an error if the caller may not ask for a priority.
func (c *Caller) CheckPriority(priority gatewayv1.Priority) error {
	if priority > c.rights.maxPriority {
		return errs.New(errs.Forbidden, "the API key %q does not allow the priority %s: ask for a lower one, or for none",
			c.Name, priorityName(priority))
	}
	return nil
}

// CheckModel returns an error if the caller may not use a model.
func (c *Caller) CheckModel(name string) error {
	if !c.MayUseModel(name) {
		return errs.New(errs.Forbidden, "the API key %q does not allow the model %.100q", c.Name, name)
	}
	return nil
}

// While returns a context that also ends when the caller's key becomes invalid. The
// cause of its end is then the error of the call.
func (c *Caller) While(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if c.valid == nil {
		return ctx, func() { cancel(nil) }
	}
	stop := context.AfterFunc(c.valid, func() { cancel(errInvalidKey()) })
	return ctx, func() { stop(); cancel(nil) }
}

// errInvalidKey is the same for every key that is not valid: the reason would help
// only those who try keys.
func errInvalidKey() error {
	return errs.New(errs.Unauthenticated, "the API key is not valid: it is unknown, was revoked, or has expired")
}

// expired reports whether a time has passed; the zero time never does.
func expired(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
