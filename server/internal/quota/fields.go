package quota

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The header fields that tell callers what they have left: those of the IETF's draft
// draft-ietf-httpapi-ratelimit-headers-10, and the names that OpenAI's clients know.
const (
	policyField = "RateLimit-Policy"
	limitField  = "RateLimit"
	openAI      = "X-Ratelimit-"
)

// FieldNames returns the names of all fields.
func FieldNames() []string {
	names := []string{policyField, limitField}
	for _, what := range []string{"Limit", "Remaining", "Reset"} {
		names = append(names, openAI+what+"-Requests", openAI+what+"-Tokens")
	}
	return names
}

// Fields calls set with each field of the caller. They are also valid as gRPC
// metadata.
func (a Account) Fields(set func(name, value string)) {
	var policies, limits []string
	a.use(func(have *account, now time.Time) {
		for kind, b := range have.buckets {
			if b == nil {
				continue
			}
			name, left := strconv.Quote(Kind(kind).String()), b.remaining(now)
			policies = append(policies, fmt.Sprintf("%s;q=%d;w=%d", name, b.quota, b.seconds))
			limit := fmt.Sprintf("%s;r=%d", name, left)
			if wait := b.wait(now); wait > 0 {
				limit += fmt.Sprintf(";t=%d", int64(math.Ceil(wait.Seconds())))
			}
			limits = append(limits, limit)
			if kind := Kind(kind); kind == Requests || kind == Tokens {
				set(openAI+"Limit-"+title(kind), strconv.FormatInt(b.quota, 10))
				set(openAI+"Remaining-"+title(kind), strconv.FormatInt(left, 10))
				set(openAI+"Reset-"+title(kind), b.reset(now).String())
			}
		}
	})
	if len(policies) > 0 {
		set(policyField, strings.Join(policies, ", "))
		set(limitField, strings.Join(limits, ", "))
	}
}

func title(kind Kind) string {
	name := kind.String()
	return strings.ToUpper(name[:1]) + name[1:]
}
