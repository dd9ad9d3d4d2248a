package jsongrammar

import (
	"fmt"
	"math/big"
	"strings"
)

// Numbers have at most 15 digits before the point and 15 after it, which every
// program can hold, except that numbers without limits may have an exponent.
const mostDigits = 15

// beyond is more than any number that the rules make.
var beyond = new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(mostDigits), nil))

func (l limit) allowsAbove(x *big.Rat) bool {
	return l.at == nil || x.Cmp(l.at) > 0 || !l.strict && x.Cmp(l.at) == 0
}

func (l limit) allowsBelow(x *big.Rat) bool {
	return l.at == nil || x.Cmp(l.at) < 0 || !l.strict && x.Cmp(l.at) == 0
}

// addNumber adds the numbers of a shape.
func (c *compiler) addNumber(r Rule, s *shape) {
	whole := s.types&typeFraction == 0
	if s.low.at == nil && s.high.at == nil {
		if whole {
			c.rules.or(r, raw("integer"))
		} else {
			c.rules.or(r, raw("number"))
		}
		return
	}
	c.rules.spend(100)
	zero := new(big.Rat)
	low, high := s.low, s.high
	if low.at == nil {
		low = limit{new(big.Rat).Neg(beyond), true}
	}
	if high.at == nil {
		high = limit{beyond, true}
	}
	if high.at.Sign() >= 0 {
		from := limit{zero, false}
		if low.at.Sign() >= 0 {
			from = low
		}
		c.addPositive(r, "", from, high, whole)
	}
	if low.at.Sign() < 0 {
		from := limit{zero, false}
		if high.at.Sign() < 0 {
			from = limit{new(big.Rat).Neg(high.at), high.strict}
		} else if high.at.Sign() == 0 {
			from.strict = high.strict
		}
		c.addPositive(r, "-", from, limit{new(big.Rat).Neg(low.at), low.strict}, whole)
	}
}

// addPositive adds the numbers from low to high, which are not negative, after a sign.
func (c *compiler) addPositive(r Rule, sign string, low, high limit, whole bool) {
	if low.at.Cmp(beyond) >= 0 || low.at.Cmp(high.at) > 0 {
		return
	}
	if high.at.Cmp(beyond) >= 0 {
		high = limit{beyond, true}
	}
	var out []string
	if whole {
		out = wholeBetween(low, high)
	} else {
		out = fractionsBetween(low, high)
	}
	for _, expression := range out {
		if sign != "" {
			expression = quote(sign) + " " + expression
		}
		c.rules.or(r, raw(expression))
	}
}

func wholeBetween(low, high limit) []string {
	from, rest := split(low.at)
	if rest != "" || low.strict {
		from.Add(from, big.NewInt(1))
	}
	to, rest := split(high.at)
	if rest == "" && high.strict {
		to.Sub(to, big.NewInt(1))
	}
	return digitsBetween(from, to)
}

func fractionsBetween(low, high limit) []string {
	from, afterFrom := split(low.at)
	to, afterTo := split(high.at)
	if from.Cmp(to) == 0 {
		if f, ok := between(afterFrom, afterTo, low.strict, high.strict); ok {
			return []string{quote(from.String()) + f}
		}
		return nil
	}
	var out []string
	if f, ok := above(afterFrom, low.strict); ok {
		out = append(out, quote(from.String())+f)
	}
	for _, whole := range digitsBetween(new(big.Int).Add(from, big.NewInt(1)), new(big.Int).Sub(to, big.NewInt(1))) {
		out = append(out, whole+anyFraction)
	}
	if f, ok := below(afterTo, high.strict); ok {
		out = append(out, quote(to.String())+f)
	}
	return out
}

// split returns the whole part of a number that is not negative, and the digits after
// the point without zeros at the end.
func split(x *big.Rat) (whole *big.Int, fraction string) {
	whole = new(big.Int).Quo(x.Num(), x.Denom())
	rest := new(big.Rat).Sub(x, new(big.Rat).SetInt(whole))
	text := rest.FloatString(mostDigits)
	if exact, _ := new(big.Rat).SetString(text); exact.Cmp(rest) != 0 {
		refuse("it has a limit with more than %d digits after the point: shorten it", mostDigits)
	}
	return whole, strings.TrimRight(text[len("0."):], "0")
}

// digitsBetween returns expressions for the whole numbers from low to high.
func digitsBetween(low, high *big.Int) []string {
	if low.Cmp(high) > 0 {
		return nil
	}
	var out []string
	from, to := low.String(), high.String()
	for n := len(from); n <= len(to); n++ {
		first, last := "1"+strings.Repeat("0", n-1), strings.Repeat("9", n)
		if n == 1 {
			first = "0"
		}
		if n == len(from) {
			first = from
		}
		if n == len(to) {
			last = to
		}
		out = append(out, sameLength(first, last))
	}
	return out
}

// sameLength returns an expression for the digits from low to high, which are equally
// long.
func sameLength(low, high string) string {
	n := len(low)
	switch {
	case n == 0:
		return `""`
	case strings.Trim(low, "0") == "" && strings.Trim(high, "9") == "":
		return fmt.Sprintf("[0-9]{%d}", n)
	case low == high:
		return quote(low)
	case low[0] == high[0]:
		return quote(low[:1]) + " " + sameLength(low[1:], high[1:])
	}
	var out []string
	first, last := low[0], high[0]
	if strings.Trim(low[1:], "0") != "" {
		out = append(out, quote(low[:1])+" "+sameLength(low[1:], strings.Repeat("9", n-1)))
		first++
	}
	var tail string
	if strings.Trim(high[1:], "9") != "" {
		tail = quote(high[:1]) + " " + sameLength(strings.Repeat("0", n-1), high[1:])
		last--
	}
	if first <= last {
		middle := digit(first, last)
		if n > 1 {
			middle += fmt.Sprintf(" [0-9]{%d}", n-1)
		}
		out = append(out, middle)
	}
	if tail != "" {
		out = append(out, tail)
	}
	return "(" + strings.Join(out, " | ") + ")"
}

func digit(low, high byte) string { return "[" + string(low) + "-" + string(high) + "]" }

// The functions below return expressions for what follows the whole part of a number:
// nothing, or a point and digits. They return false if nothing can follow.

const (
	anyDigits   = " digits"
	anyFraction = ` ("." [0-9] digits)?`
)

// above: the fraction is at least low, or more if strict.
func above(low string, strict bool) (string, bool) {
	if low == "" && !strict {
		return anyFraction, true
	}
	return ` "." ` + digitsAbove(low, strict), true
}

func digitsAbove(low string, strict bool) string {
	if low == "" {
		if strict {
			return `"0"{0,13} [1-9] digits`
		}
		return "digits"
	}
	same := quote(low[:1]) + " " + digitsAbove(low[1:], strict)
	if low[0] == '9' {
		return same
	}
	return "(" + digit(low[0]+1, '9') + anyDigits + " | " + same + ")"
}

// below: the fraction is at most high, or less if strict.
func below(high string, strict bool) (string, bool) {
	if high == "" {
		return "", !strict
	}
	d, ok := digitsBelow(high, strict)
	if !ok {
		return "", true
	}
	return ` ("." ` + d + ")?", true
}

// digitsBelow is for at least one digit; high does not end with 0.
func digitsBelow(high string, strict bool) (string, bool) {
	var out []string
	if high[0] > '0' {
		out = append(out, digit('0', high[0]-1)+anyDigits)
	}
	if end, ok := belowEnd(high, strict); ok {
		out = append(out, quote(high[:1])+end)
	}
	return "(" + strings.Join(out, " | ") + ")", len(out) > 0
}

// belowEnd is what may follow the first digit of high.
func belowEnd(high string, strict bool) (string, bool) {
	if len(high) == 1 {
		return "", !strict
	}
	rest, ok := digitsBelow(high[1:], strict)
	if !ok {
		return "", true
	}
	return " " + rest + "?", true
}

// between: both.
func between(low, high string, strictLow, strictHigh bool) (string, bool) {
	switch {
	case low > high || low == high && (strictLow || strictHigh):
		return "", false
	case low == high && low == "":
		return "", true
	case low == high:
		return ` "." ` + quote(low), true
	}
	d, ok := digitsBetweenFractions(low, high, strictLow, strictHigh)
	expression := ` "." ` + d
	if low == "" && !strictLow {
		if !ok {
			return "", true
		}
		return " (" + expression + ")?", true
	}
	return expression, ok
}

// digitsBetweenFractions is for at least one digit; low is less than high, which does
// not end with 0.
func digitsBetweenFractions(low, high string, strictLow, strictHigh bool) (string, bool) {
	first, rest := byte('0'), ""
	if low != "" {
		first, rest = low[0], low[1:]
	}
	if first == high[0] {
		d, ok := digitsBetweenFractions(rest, high[1:], strictLow, strictHigh)
		if ok && rest == "" && !strictLow {
			d += "?"
		}
		return quote(string(first)) + " " + d, ok
	}
	out := []string{quote(string(first)) + " " + digitsAbove(rest, strictLow)}
	if first+1 < high[0] {
		out = append(out, digit(first+1, high[0]-1)+anyDigits)
	}
	if end, ok := belowEnd(high, strictHigh); ok {
		out = append(out, quote(high[:1])+end)
	}
	return "(" + strings.Join(out, " | ") + ")", true
}
