package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/internal/suggest"
)

// Auth says who may call.
type Auth struct {
	// KeysFile is the file of API keys, which "modelgateway keys" writes. Every caller
	// needs a credential then. A relative path is below the state directory.
	KeysFile string `yaml:"keys_file"`
	// Issuers are OpenID Connect issuers whose JWTs are accepted.
	Issuers []Issuer `yaml:"issuers"`
	// UnixUsers are users of this machine who need no other credential on Unix sockets.
	UnixUsers []UnixUser `yaml:"unix_users"`
}

// Required reports whether callers need a credential.
func (a Auth) Required() bool {
	return a.KeysFile != "" || len(a.Issuers) > 0 || len(a.UnixUsers) > 0
}

// Rights are what callers may do that have no API key of their own.
type Rights struct {
	// Name appears in logs and metrics.
	Name string `yaml:"name"`
	// Roles are "infer", "observe", "admin" and "metrics".
	Roles []string `yaml:"roles"`
	// Tasks are the tasks that they may run; empty: all.
	Tasks []string `yaml:"tasks"`
	// Models are the models that they may use; empty: all.
	Models []string `yaml:"models"`
	// Cloud allows requests that leave this machine.
	Cloud bool `yaml:"cloud"`
	// MaxPriority is the highest priority of their requests. Default: normal.
	MaxPriority Priority `yaml:"max_priority"`
	// Limits replace those of limits.caller, by name, for each user; 0: no limit.
	Limits map[string]float64 `yaml:"limits"`
	// Weight is the share of a busy model that each user gets, relative to other
	// callers. Default: 1.
	Weight int `yaml:"weight"`
}

// Issuer is an OpenID Connect issuer.
type Issuer struct {
	// URL is the claim "iss" of its tokens. Its keys are found below it.
	URL string `yaml:"url"`
	// Audience must be in the claim "aud" of its tokens.
	Audience string `yaml:"audience"`
	// Algorithms are the signature algorithms that its tokens may have. Default: RS256.
	Algorithms []string `yaml:"algorithms"`
	// Callers say what whose token allows. The first whose claims a token has decides;
	// a token that has none is refused.
	Callers []IssuerCaller `yaml:"callers"`
}

// IssuerCaller is what tokens with certain claims allow.
type IssuerCaller struct {
	Rights `yaml:",inline"`
	// Claims are values that a token must have, by claim: the claim is the value, or a
	// list with it. "a.b" is the claim b within a. Empty: every token of the issuer.
	Claims map[string]string `yaml:"claims"`
}

// UnixUser is a user of this machine.
type UnixUser struct {
	Rights `yaml:",inline"`
	// UID is the user's number.
	UID *uint32 `yaml:"uid"`
}

// SigningAlgorithms are those that an issuer may use. All are asymmetric: with a shared
// secret, whoever can verify a token could make one.
var SigningAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

var (
	roleNames  = []string{"infer", "observe", "admin", "metrics"}
	rightsName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

const (
	maxIssuers   = 16
	maxUnixUsers = 1024
)

func (c *Config) checkAuth(bad complain) {
	if len(c.Auth.Issuers) > maxIssuers {
		bad("auth.issuers has %d entries: at most %d are possible", len(c.Auth.Issuers), maxIssuers)
	}
	if len(c.Auth.UnixUsers) > maxUnixUsers {
		bad("auth.unix_users has %d entries: at most %d are possible", len(c.Auth.UnixUsers), maxUnixUsers)
	}
	urls := map[string]bool{}
	for i, issuer := range c.Auth.Issuers {
		key := fmt.Sprintf("auth.issuers[%d]", i)
		checkIssuerURL(bad, key+".url", issuer.URL)
		if urls[issuer.URL] {
			bad("%s.url: another entry has the same URL: put its callers there", key)
		}
		urls[issuer.URL] = true
		if issuer.Audience == "" {
			bad("%s has no audience: set it to the \"aud\" of the tokens that are for this server", key)
		}
		for _, algorithm := range issuer.Algorithms {
			oneOf(bad, key+".algorithms", algorithm, SigningAlgorithms...)
		}
		if len(issuer.Callers) == 0 {
			bad("%s has no callers: nobody could use its tokens", key)
		}
		for n, caller := range issuer.Callers {
			c.checkRights(bad, fmt.Sprintf("%s.callers[%d]", key, n), caller.Rights)
		}
	}
	uids := map[uint32]bool{}
	for i, user := range c.Auth.UnixUsers {
		key := fmt.Sprintf("auth.unix_users[%d]", i)
		c.checkRights(bad, key, user.Rights)
		switch {
		case user.UID == nil:
			bad("%s has no uid: \"id -u NAME\" prints it", key)
		case uids[*user.UID]:
			bad("%s: another entry has the same uid %d", key, *user.UID)
		default:
			uids[*user.UID] = true
		}
	}
	if len(c.Auth.UnixUsers) > 0 && !c.hasUnixSocket() {
		bad("auth.unix_users needs a Unix socket: set grpc_listen or http_listen to unix:/path")
	}
}

func (c *Config) hasUnixSocket() bool {
	return slices.ContainsFunc([]string{c.GRPCListen, c.HTTPListen}, func(address string) bool {
		network, _ := SplitListen(address)
		return network == "unix"
	})
}

// checkIssuerURL refuses URLs over which anyone on the way could send other keys.
func checkIssuerURL(bad complain, key, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		bad("%s is %q: write the URL of the issuer, such as https://accounts.example.org", key, text)
		return
	}
	if u.Scheme == "http" && !loopback(u.Host) && !loopback(u.Host+":80") {
		bad("%s is %q: it must be https, because everyone on the way could otherwise send other keys", key, text)
	}
}

func (c *Config) checkRights(bad complain, key string, r Rights) {
	if !rightsName.MatchString(r.Name) {
		bad("%s.name is %q: it must be 1 to 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit", key, r.Name)
	}
	if len(r.Roles) == 0 {
		bad("%s has no roles: give it some of %s", key, strings.Join(roleNames, ", "))
	}
	for _, role := range r.Roles {
		oneOf(bad, key+".roles", role, roleNames...)
	}
	for _, task := range r.Tasks {
		if !builtIn(task) && c.Tasks[engines.CanonicalTask(task)].Method == "" {
			bad("%s.tasks: no such task: %q%s", key, task, suggest.DidYouMean(task, taskNames()))
		}
	}
	for _, model := range r.Models {
		if _, ok := c.Models[model]; !ok {
			bad("%s.models: no model %q is configured%s", key, model, suggest.DidYouMean(model, c.ModelOrder))
		}
	}
	if r.MaxPriority != "" {
		oneOf(bad, key+".max_priority", string(r.MaxPriority), "low", "normal", "high", "critical")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Limits)) {
		if err := CheckLimit(name, r.Limits[name]); err != nil {
			bad("%s.limits: %w", key, err)
		}
	}
	inRange(bad, key+".weight", int64(r.Weight), 0, MaxWeight)
}
