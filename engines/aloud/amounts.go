package aloud

import (
	"regexp"
	"strings"
)

// unit is a unit of measure or money: the words after 1 and after other numbers.
type unit struct{ one, many string }

const currencySigns = `[$€£¥₫₩₹฿]`

var (
	amountPattern = regexp.MustCompile(`^([-−+]?)([A-Z]{0,3})(` + currencySigns + `?)([-−]?)(\d+(?:[.,]\d+)*)(?:%?([-–—~])` + currencySigns +
		`?(\d+(?:[.,]\d+)*))?([^\d\s.,][^\d\s]{0,11}|[kcm]?m[23])?$`)
	heightPattern = regexp.MustCompile(`^(\d)(?:m(\d{2}|[014-9])|['′’](\d{1,2}))$`)
	grouped       = regexp.MustCompile(`^[1-9]\d{0,2}(?:\.\d{3})+$`)
	groupedComma  = regexp.MustCompile(`^[1-9]\d{0,2}(?:,\d{3})+$`)
)

// amount reads a number or a range with a unit, which may be the next field.
func (s *speaker) amount(fields []field, i int, core string) (string, bool) {
	if m := heightPattern.FindStringSubmatch(core); m != nil {
		if m[2] != "" {
			return m[1] + " " + s.unitOf("m", m[1] == "1") + " " + m[2], true
		}
		return m[1] + " " + s.unitOf("ft", m[1] == "1") + " " + m[3] + " " + s.unitOf("in", m[3] == "1"), s.english
	}
	m := amountPattern.FindStringSubmatch(core)
	if m == nil {
		return "", false
	}
	prefix, number, second, tail := m[2]+m[3], m[5], m[7], m[8]
	sign := ""
	switch m[1] + m[4] {
	case "-", "−":
		sign = s.minus + " "
	case "+":
		sign = s.plus + " "
	}
	money, scale := s.money[prefix], ""
	if prefix != "" && money == (unit{}) {
		return "", false
	}
	tail, per := s.perUnit(tail)
	if word := s.scales[tail]; word != "" && (prefix != "" || tail == "k" || tail == "tr" || s.money[nextCore(fields, i)] != (unit{})) {
		scale, tail = " "+word, ""
	}
	hyphenated := prefix != "" && strings.HasPrefix(tail, "-") && s.isScale(tail[1:]) // "$5-million"
	if hyphenated {
		scale, tail = " "+tail[1:], ""
	}
	if prefix != "" && tail != "" {
		return "", false
	}
	after, hasNext := next(fields, i)
	if tail == "" && prefix == "" && hasNext {
		name, perNext := s.perUnit(after.core)
		if s.money[name] != (unit{}) || s.units[name] != (unit{}) || s.units[lowerUnit(name)] != (unit{}) {
			if !alsoWords[strings.ToLower(name)] && (name != "%" || second != "") {
				tail, per = name, perNext
				fields[i+1] = field{trail: after.trail}
			}
		}
	}
	if tail != "" && prefix == "" {
		if strings.HasPrefix(tail, "k") && s.money[tail[1:]] != (unit{}) {
			scale, tail = " "+s.scales["k"], tail[1:]
		}
		money = s.money[tail]
	}
	article := s.english && tail != "x" && isArticle(previous(fields, i))
	one := second == "" && (scale == "" && (number == "1" || article) || hyphenated && article)
	scaleWord, behindScale := s.scaleOf(after.core)
	scaled := prefix != "" && scale == "" && hasNext && scaleWord != ""
	var name string
	switch {
	case money != (unit{}):
		number, second = s.thousands(number, money), s.thousands(second, money)
		if said, ok := s.cents(number, second, scale, money, prefix); ok && !scaled {
			return sign + said + per, true
		}
		name = " " + choose(money, one && (article || !scaled))
		if scaled {
			if strings.HasPrefix(behindScale, "-"+money.one) {
				name = "" // "$2 million-dollar"
			}
			fields[i+1].core, name = scaleWord+name+behindScale, ""
		}
	case tail != "":
		u := s.units[tail]
		if u == (unit{}) {
			u = s.units[lowerUnit(tail)]
		}
		if u == (unit{}) {
			if second == "" || tail == "" {
				return "", false
			}
			name = tail
			break
		}
		if tail == "%" && second == "" {
			return "", false // every language reads it
		}
		name = " " + choose(u, one)
	case scale == "" && second == "":
		return "", false
	}
	if second != "" {
		number = s.yearOr(number) + s.to + s.yearOr(second)
	}
	return sign + number + scale + name + per, true
}

// perUnit cuts off what follows a slash in a unit, and returns it as it is read:
// "/hour", "€/kg". Units with a slash of their own stay whole.
func (s *speaker) perUnit(tail string) (unit, per string) {
	before, after, found := strings.Cut(tail, "/")
	if !found || after == "" || s.units[tail].one != "" || strings.Trim(after, "abcdefghijklmnopqrstuvwxyzáàảãạăâđêôơườ²³") != "" {
		return tail, ""
	}
	if u := s.units[after]; u.one != "" {
		after = u.one
	}
	return before, " " + s.per + " " + after
}

// code reads the code of a currency before an amount, and behind one with a scale:
// "USD 20", "2 million VND".
func (s *speaker) code(fields []field, i int) (string, bool) {
	money := s.money[fields[i].core]
	after, _ := next(fields, i)
	switch {
	case money == (unit{}) || strings.EqualFold(fields[i].core, "đ"):
		return "", false
	case plainNumber.MatchString(after.core):
		if scale, ok := next(fields, i+1); ok {
			if word, rest := s.scaleOf(scale.core); word != "" {
				fields[i+1], fields[i+2].core = field{}, word+" "+money.many+rest // "USD 5 million"
				return after.core, true
			}
		}
		fields[i+1] = field{trail: after.trail}
		return s.thousands(after.core, money) + " " + choose(money, after.core == "1"), true
	case i > 0 && s.isScale(strings.ToLower(fields[i-1].core)):
		return money.many, true
	}
	return "", false
}

func nextCore(fields []field, i int) string {
	f, _ := next(fields, i)
	return f.core
}

// alsoWords are units that are words if they stand alone.
var alsoWords = map[string]bool{"in": true, "x": true, "k": true, "°": true}

// lowerUnit returns a unit of several letters in lower case: "5 KG".
func lowerUnit(text string) string {
	if len(text) < 2 {
		return text
	}
	return strings.ToLower(text)
}

func isArticle(word string) bool { return word == "a" || word == "an" }

func choose(u unit, one bool) string {
	if one {
		return u.one
	}
	return u.many
}

func (s *speaker) unitOf(key string, one bool) string { return choose(s.units[key], one) }

func (s *speaker) isScale(word string) bool {
	for _, scale := range s.scaleWords {
		if word == scale {
			return true
		}
	}
	return false
}

// scaleOf returns the scale that a word behind an amount begins with, and the rest of
// the word: "million", "bn", "million-dollar". The scale is "" if there is none.
func (s *speaker) scaleOf(word string) (scale, rest string) {
	scale, _, _ = strings.Cut(word, "-")
	rest = word[len(scale):]
	switch {
	case s.isScale(strings.ToLower(scale)):
		return scale, rest
	case len(scale) > 1 && s.scales[scale] != "":
		return s.scales[scale], rest
	}
	return "", ""
}

// thousands returns a number with the mark between its groups that the language has.
// Amounts in dong have no decimals.
func (s *speaker) thousands(number string, money unit) string {
	switch {
	case s.english && money == s.money["₫"] && grouped.MatchString(number):
		return strings.ReplaceAll(number, ".", ",")
	case !s.english && money == s.money["₫"] && groupedComma.MatchString(number):
		return strings.ReplaceAll(number, ",", ".")
	}
	return number
}

// cents reads an amount with two decimals: "$3.50".
func (s *speaker) cents(number, second, scale string, money unit, prefix string) (string, bool) {
	small, ok := s.small[prefix]
	whole, part, hasPart := strings.Cut(number, ".")
	if !ok || !hasPart || len(part) != 2 || second != "" || scale != "" {
		return "", false
	}
	cents := strings.TrimPrefix(part, "0") + " " + choose(small, part == "01")
	switch {
	case part == "00":
		return whole + " " + choose(money, whole == "1"), true
	case whole == "0":
		return cents, true
	}
	return whole + " " + choose(money, whole == "1") + s.and + cents, true
}
