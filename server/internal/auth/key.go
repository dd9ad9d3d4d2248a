package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/internal/suggest"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

const (
	// prefix begins every key, so that programs that look for leaked secrets find it.
	prefix      = "mg_"
	idBytes     = 5
	secretBytes = 32
)

// Key is an entry of the file of keys. The key itself is not kept.
type Key struct {
	// ID is the public part of the key.
	ID string `yaml:"id"`
	// Name says whose key it is; it appears in logs and metrics.
	Name string `yaml:"name"`
	// Hash is the SHA-256 of the key in hexadecimal digits. The secret has 256 random
	// bits, so that nothing slower is needed.
	Hash string `yaml:"hash"`
	// TokenKey is the public key of the key's access tokens, an Ed25519 key in base64;
	// empty: it has none, because an older version made it.
	TokenKey string `yaml:"token_key,omitempty"`
	// Created is when the key was made.
	Created time.Time `yaml:"created"`
	// Expires is when the key ends; zero: never.
	Expires time.Time `yaml:"expires,omitempty"`
	// Roles are the names of roles.
	Roles []Role `yaml:"roles"`
	// Tasks are the tasks that the key allows; empty: all.
	Tasks []string `yaml:"tasks,omitempty"`
	// Models are the models that the key allows; empty: all.
	Models []string `yaml:"models,omitempty"`
	// Cloud allows requests that leave this machine.
	Cloud bool `yaml:"cloud"`
	// MaxPriority is the highest priority of the key's requests, also of those that
	// leave it to the model; empty: normal, so that
	// a key cannot displace the work of others unless it is told to.
	MaxPriority config.Priority `yaml:"max_priority,omitempty"`
	// Limits are the limits that replace those of the configuration (limits.caller), by
	// name; 0: no limit.
	Limits map[string]float64 `yaml:"limits,omitempty"`
	// Weight is the share of a busy model that the key gets, relative to other callers;
	// 0: 1.
	Weight int `yaml:"weight,omitempty"`
}

var (
	keyName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	keyFormat = regexp.MustCompile(`^mg_([a-z2-7]{8})_[a-z2-7]{52}$`)
	keyID     = regexp.MustCompile(`^[a-z2-7]{8}$`)
	keyHash   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	encoding  = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

// NewKey completes an entry with an id and a secret, and returns the key that its
// user sends. It is not kept: only its hash is.
func NewKey(k *Key, now time.Time) string {
	random := make([]byte, idBytes+secretBytes)
	_, _ = rand.Read(random) // never fails
	k.ID = encoding.EncodeToString(random[:idBytes])
	key := prefix + k.ID + "_" + encoding.EncodeToString(random[idBytes:])
	k.Hash, k.TokenKey, k.Created = hash(key), publicTokenKey(key), now.UTC().Truncate(time.Second)
	return key
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Check returns an error if an entry is not valid.
func (k *Key) Check() error {
	if !keyName.MatchString(k.Name) {
		return fmt.Errorf("the name %.100q of a key must be 1 to 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit", k.Name)
	}
	if len(k.Roles) == 0 {
		return fmt.Errorf("the key %s has no roles: give it some of %s", k.Name, strings.Join(names(Roles()), ", "))
	}
	for _, role := range k.Roles {
		if !slices.Contains(Roles(), role) {
			return fmt.Errorf("the key %s has the role %.100q: roles are %s%s", k.Name, role,
				strings.Join(names(Roles()), ", "), suggest.DidYouMean(string(role), names(Roles())))
		}
	}
	for i, task := range k.Tasks {
		k.Tasks[i] = engines.CanonicalTask(task)
	}
	if !slices.Contains([]config.Priority{"", "low", "normal", "high", "critical"}, k.MaxPriority) {
		return fmt.Errorf("the key %s has max_priority %.100q: it must be low, normal, high or critical", k.Name, k.MaxPriority)
	}
	if k.Weight < 0 || k.Weight > config.MaxWeight {
		return fmt.Errorf("the key %s has the weight %d: it must be 1 to %d", k.Name, k.Weight, config.MaxWeight)
	}
	for _, name := range slices.Sorted(maps.Keys(k.Limits)) {
		if err := config.CheckLimit(name, k.Limits[name]); err != nil {
			return fmt.Errorf("the key %s has a wrong limit: %w", k.Name, err)
		}
	}
	return nil
}

func (k *Key) rights() rights {
	return rights{roles: k.Roles, tasks: allIfEmpty(k.Tasks), models: allIfEmpty(k.Models), cloud: k.Cloud, maxPriority: k.MaxPriority.Proto()}
}

// allIfEmpty returns nil, which means all, for an empty list.
func allIfEmpty(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return names
}

func names(roles []Role) []string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = string(r)
	}
	return out
}

func priorityName(p gatewayv1.Priority) string {
	return strings.TrimPrefix(p.String(), "PRIORITY_")
}
