package aloud

import (
	"regexp"
	"strconv"
	"strings"
)

// spacedNumber joins groups of three digits: "10 000".
func (s *speaker) spacedNumber(fields []field, i int) bool {
	first := fields[i].core
	if !isDigits(first) || len(first) > 3 || first[0] == '0' {
		return false
	}
	if i > 0 && fields[i-1].trail == "" && isDigits(fields[i-1].core) {
		return false
	}
	whole, sure, last := first, false, i
	for {
		group, ok := next(fields, last)
		if !ok || len(group.core) != 3 || !isDigits(group.core) {
			break
		}
		sure = sure || group.space != " " || group.core[0] == '0'
		whole += group.core
		last++
	}
	if !sure {
		return false
	}
	fields[last].core = whole
	for j := i; j < last; j++ {
		fields[j+1].space, fields[j] = "", field{space: fields[j].space, lead: fields[j].lead}
	}
	if said, ok := s.amount(fields, last, whole); ok {
		fields[last].core = said
	}
	return true
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// phoneGroups is the number of fields that a telephone number may have.
const phoneGroups = 6

var (
	phoneStart    = regexp.MustCompile(`^(?:\+\d{1,15}(?:[-.]\d{2,4})*|0\d{1,10}|\d{2,4}(?:-\d{2,4}){2,}|\d{3}-\d{4})$`)
	roundRange    = regexp.MustCompile(`^\d+0-\d+0$`) // "500-1000 people"
	rangeOrNumber = regexp.MustCompile(`^\d{3}-(\d{4})$`)
	phoneMore     = regexp.MustCompile(`^\d{2,4}(?:-\d{2,4})*$`)
)

// callWords are followed by a telephone number.
var callWords = set("call dial phone hotline gọi")

// callNear is how many fields before a telephone number a call word may stand: "call me
// at 555-1234".
const callNear = 4

// behindCalls are words that may follow a telephone number, besides starters.
var behindCalls = set("now please today tonight tomorrow anytime ext extension again instead để ngay")

// isRange reports whether "125-1500" is a range: something is counted, or it is between
// brackets and ends in a year.
func (s *speaker) isRange(fields []field, i int) bool {
	m := rangeOrNumber.FindStringSubmatch(fields[i].core)
	if m == nil {
		return false
	}
	for j := i - 1; j >= max(0, i-callNear) && !strings.ContainsAny(fields[j].trail, ".!?;"); j-- {
		if callWords[strings.ToLower(fields[j].core)] {
			return false
		}
	}
	word := nextCore(fields, i)
	_, isYear := s.year(nil, 0, m[1])
	return fields[i].lead == "(" && strings.HasPrefix(fields[i].trail, ")") && isYear || s.units[word] != (unit{}) || s.units[lowerUnit(word)] != (unit{}) ||
		lowerWord.MatchString(word) && !starters[word] && !behindCalls[word]
}

// emergency are numbers that are called whatever follows them: "call 911 now".
var emergency = set("110 111 112 113 114 115 119 911 999")

// phone reads a telephone number digit by digit.
func (s *speaker) phone(fields []field, i int) bool {
	start := fields[i]
	area := start.lead == "(" && start.trail == ")" && len(start.core) == 3 && isDigits(start.core)
	after, more := next(fields, i)
	called := callWords[previous(fields, i)] && len(start.core) >= 3 && isDigits(start.core)
	if called && (emergency[start.core] || !more || len(start.core) >= 7) {
		fields[i].core = strings.Join(strings.Split(start.core, ""), " ") // "call 911"
		return true
	}
	called = called && phoneMore.MatchString(after.core) // "call 1900 1234"
	if !phoneStart.MatchString(start.core) && !area && !called || s.isRange(fields, i) || fullDate.MatchString(start.core) || roundRange.MatchString(start.core) {
		return false
	}
	last := i
	for last-i+1 < phoneGroups && last+1 < len(fields) && (fields[last].trail == "" || area && last == i) &&
		!strings.Contains(fields[last+1].space, "\n") && phoneMore.MatchString(fields[last+1].core) && fields[last+1].lead == "" {
		last++
	}
	if !s.english && last == i && start.core[0] == '0' && len(start.core) > 2 && isDigits(start.core) {
		fields[i].core = strings.Join(strings.Split(start.core, ""), " ")
		return true
	}
	digits := 0
	for _, f := range fields[i : last+1] {
		digits += len(onlyDigits(f.core))
	}
	if digits < 7 || last == i && !strings.ContainsAny(start.core, "-+") {
		return false
	}
	if area {
		fields[i].lead, fields[i].trail = "", ""
	}
	for j := i; j <= last; j++ {
		said := strings.Join(strings.Split(onlyDigits(fields[j].core), ""), " ")
		if strings.HasPrefix(fields[j].core, "+") {
			said = s.plus + " " + said
		}
		fields[j].core = said
	}
	return true
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// calculate reads "5x3=15".
func (s *speaker) calculate(_ []field, _ int, core string) (string, bool) {
	hasSign := strings.ContainsAny(core, "+*x×÷=−")
	if !calculation.MatchString(core) || !hasSign {
		return "", false
	}
	times := s.times
	if parts := strings.Split(core, "x"); s.english && len(parts) == 2 && parts[0] == parts[1] {
		times = "by" // "4x4"
	}
	said := strings.NewReplacer("*", " "+times+" ", "x", " "+times+" ", "×", " "+times+" ", "+", " "+s.plus+" ", "-", " "+s.minus+" ",
		"−", " "+s.minus+" ", "÷", " "+s.dividedBy+" ", "/", " "+s.over+" ", "=", " "+s.equals+" ").Replace(core)
	return strings.TrimSpace(said), true
}

// versionOf reads the parts of a version one by one: "3.11.2".
func (s *speaker) versionOf(_ []field, _ int, core string) (string, bool) {
	if !s.english || !version.MatchString(core) || grouped.MatchString(core) {
		return "", false
	}
	return strings.ReplaceAll(core, ".", " point "), true
}

func atoi(text string) int {
	n, _ := strconv.Atoi(text) // few digits
	return n
}
