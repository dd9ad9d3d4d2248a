package aloud

import "golang.org/x/text/unicode/norm"

// vulgars are the fractions that are one character.
const vulgars = "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"

var (
	partName  = map[int]string{2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth", 16: "sixteenth"}
	partNames = map[int]string{2: "halves", 3: "thirds", 4: "quarters", 5: "fifths", 6: "sixths", 7: "sevenths", 8: "eighths", 9: "ninths", 16: "sixteenths"}
)

// fraction reads "1/2", "2½", and "8/10" and "24/7", which are none.
func (s *speaker) fraction(fields []field, i int, core string) (string, bool) {
	after := i > 0 && fields[i-1].trail == "" && isDigits(fields[i-1].core)
	if m := withVulgar.FindStringSubmatch(core); m != nil {
		m2 := overUnder.FindStringSubmatch(slashed(m[2]))
		said := s.parts(atoi(m2[1]), atoi(m2[2]))
		if m[1] != "" {
			return m[1] + s.and + said, true
		}
		if after {
			return s.and[1:] + said, true
		}
		return said, true
	}
	m := overUnder.FindStringSubmatch(core)
	if m == nil {
		return "", false
	}
	a, b := atoi(m[1]), atoi(m[2])
	switch {
	case core == "24/7" || core == "9/11" || core == "24/24" || core == "50/50":
		return m[1] + " " + m[2], true
	case yearPattern.MatchString(m[1]) && (b == a+1 || len(m[2]) == 2 && b == (a+1)%100):
		return s.yearOr(m[1]) + s.to + s.yearOr(m[2]), true // "the school year 2024/25"
	case !s.english && vietnameseDays[previous(fields, i)] && isDay(a, b):
		return s.dayOf(fields, i, a, b, ""), true
	case !s.english && previous(fields, i) == "tháng" && len(m[2]) == 4:
		return m[1] + " năm " + m[2], true
	case a > 0 && a < b && (partName[b] != "" || !s.english && b < 10):
		said := s.parts(a, b)
		if after {
			said = s.and[1:] + said
		}
		return said, true
	case a <= b && (b <= 12 || !isDay(b, a) || b == 20 || b == 30):
		return m[1] + " " + s.outOf + " " + m[2], true
	case isDay(a, b) && a > 12:
		return s.dayOf(fields, i, a, b, ""), true
	case isDay(b, a) && b > 12 && s.english:
		return s.dayOf(fields, i, b, a, ""), true
	}
	return m[1] + " " + s.over + " " + m[2], true
}

// parts returns what is read of a fraction.
func (s *speaker) parts(over, under int) string {
	switch {
	case !s.english:
		return number(rune(over)) + " phần " + number(rune(under))
	case over == 1 && under == 2:
		return "a half"
	case over == 1:
		return "one " + partName[under]
	}
	return number(rune(over)) + " " + partNames[under]
}

// slashed returns a character for a fraction as two numbers: "1/2".
func slashed(vulgar string) string {
	out := []rune(norm.NFKC.String(vulgar))
	for i, r := range out {
		if r == '⁄' {
			out[i] = '/'
		}
	}
	return string(out)
}
