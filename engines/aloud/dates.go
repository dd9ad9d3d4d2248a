package aloud

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// timeOfDay reads "7:05", "19h30", "7pm" and "7.30 am".
func (s *speaker) timeOfDay(fields []field, i int, core string) (string, bool) {
	after, _ := next(fields, i)
	half := strings.ToLower(strings.ReplaceAll(after.core, ".", ""))
	isHalf := half == "am" || half == "pm"
	if m := dottedTime.FindStringSubmatch(core); m != nil && isHalf {
		core = m[1] + ":" + m[2]
	}
	if hour, ok := strings.CutSuffix(core, "h"); ok && (!s.english || timeWords[previous(fields, i)] || core != fields[i].core) {
		core = hour + ":00"
	}
	m := clockTime.FindStringSubmatch(core)
	if m == nil || m[2] == "" && m[4] == "" || (m[4] == "") != (m[5] == "") || m[2] == "g" && s.english {
		return "", false
	}
	hour, minute := atoi(m[1]), atoi(m[3])
	if hour > 24 || minute > 59 {
		return "", false
	}
	if m[4] != "" {
		half, isHalf = strings.ToLower(m[4])+"m", true
	} else {
		half = ""
	}
	said := s.clock(hour, minute, isHalf)
	if half != "" {
		said += " " + strings.ToUpper(half)
	}
	return said, true
}

// timeWords are followed by a time: "at 7h".
var timeWords = set("at from to until till by before after around since")

// clock returns what is read of a time. isHalf says that a.m. or p.m. follows.
func (s *speaker) clock(hour, minute int, isHalf bool) string {
	h, m := number(rune(hour)), number(rune(minute))
	switch {
	case !s.english && minute == 0:
		return h + " giờ"
	case !s.english && minute < 10:
		return h + " giờ " + m + " phút"
	case !s.english:
		return h + " giờ " + m
	case minute == 0 && isHalf:
		return h
	case minute == 0 && hour > 12 && hour < 24:
		return h + " hundred"
	case minute == 0:
		return h + " o'clock"
	case minute < 10:
		return h + " oh " + m
	}
	return h + " " + m
}

var monthNames = strings.Fields("January February March April May June July August September October November December")

// date reads "20/11/2024", "2024-11-20", and "20/11" if it cannot be a fraction.
func (s *speaker) date(fields []field, i int, core string) (string, bool) {
	m := fullDate.FindStringSubmatch(core)
	if m == nil {
		return "", false
	}
	if m[5] != "" {
		if month, day := atoi(m[6]), atoi(m[7]); isDay(day, month) {
			return s.dayOf(fields, i, day, month, m[5]), true
		}
		return "", false
	}
	first, second := atoi(m[1]), atoi(m[3])
	switch {
	case isDay(first, second) && (!s.english || first > 12 || first == second || m[2] == "."):
		return s.dayOf(fields, i, first, second, m[4]), true
	case s.english && isDay(second, first) && second > 12:
		return s.dayOf(fields, i, second, first, m[4]), true
	case s.english && isDay(first, second): // the day or the month first
		return number(rune(first)) + " " + number(rune(second)) + " " + s.yearOr(m[4]), true
	}
	return "", false
}

func isDay(day, month int) bool { return day >= 1 && day <= 31 && month >= 1 && month <= 12 }

// dayOf returns what is read of a day; year may be "".
func (s *speaker) dayOf(fields []field, i, day, month int, year string) string {
	if s.english {
		said := monthNames[month-1] + " " + nth(day)
		if year != "" {
			said += " " + s.yearOr(year)
		}
		return said
	}
	said := number(rune(day)) + " tháng " + number(rune(month))
	if year != "" {
		said += " năm " + year
	}
	if !vietnameseDays[previous(fields, i)] {
		said = "ngày " + said
	}
	return said
}

// vietnameseDays are words after which a day is read without "ngày".
var vietnameseDays = set("ngày mùng mồng dịp hôm nay sáng trưa chiều tối đêm")

// nth returns an ordinal in digits: "20th".
func nth(n int) string {
	ending := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			ending = "st"
		case 2:
			ending = "nd"
		case 3:
			ending = "rd"
		}
	}
	return number(rune(n)) + ending
}

var (
	smallWords = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
		"seventeen eighteen nineteen")
	tensWords   = strings.Fields("zero ten twenty thirty forty fifty sixty seventy eighty ninety")
	tensPlural  = strings.Fields("hundreds tens twenties thirties forties fifties sixties seventies eighties nineties")
	yearPattern = regexp.MustCompile(`^(?:(\pL+)-)?(1[1-9]|20)(\d)(\d)('?s)?$`)
)

// words returns the words of a number below 100.
func words(n int) string {
	switch {
	case n < 20:
		return smallWords[n]
	case n%10 == 0:
		return tensWords[n/10]
	}
	return tensWords[n/10] + " " + smallWords[n%10]
}

// year reads the years from 1100 to 2099, and decades: "1999", "the 1990s".
func (s *speaker) year(fields []field, i int, core string) (string, bool) {
	if a, b, ok := cutRange(core); ok && s.english && strings.HasSuffix(b, "s") {
		from, isYear := s.year(nil, 0, a)
		to, isYear2 := s.year(nil, 0, b)
		if isYear && isYear2 {
			return from + s.to + to, true // "1920s–1930s"
		}
	}
	m := yearPattern.FindStringSubmatch(strings.ReplaceAll(core, "’", "'"))
	if !s.english || m == nil {
		return "", false
	}
	if after, ok := next(fields, i); ok && m[5] == "" && !alsoWords[strings.ToLower(after.core)] && (s.units[after.core] != (unit{}) || s.money[after.core] != (unit{}) || s.isScale(after.core)) {
		return "", false
	}
	prefix := ""
	if m[1] != "" {
		prefix = m[1] + " "
	}
	century, ten, one := atoi(m[2]), atoi(m[3]), atoi(m[4])
	switch {
	case m[5] != "" && one == 0 && century == 20 && ten == 0:
		return prefix + "two thousands", true
	case m[5] != "" && one == 0:
		return prefix + words(century) + " " + tensPlural[ten], true
	case m[5] != "":
		return "", false
	case ten == 0 && (one == 0 || century == 20):
		return "", false // "1900", "2005": as other numbers
	case ten == 0:
		return prefix + words(century) + " oh " + words(one), true
	}
	return prefix + words(century) + " " + words(10*ten+one), true
}

// cutRange cuts a range in two.
func cutRange(core string) (from, to string, ok bool) {
	i := strings.IndexAny(core, "-–—")
	if i < 0 {
		return "", "", false
	}
	return core[:i], strings.TrimLeft(core[i:], "-–—"), true
}

// yearOr reads a number as a year if it can be one.
func (s *speaker) yearOr(number string) string {
	if said, ok := s.year(nil, 0, number); ok {
		return said
	}
	return number
}

var ordinalPattern = regexp.MustCompile(`^(\d+?)00(0?)th$`)

// ordinal reads "100th", whose ending speech engines read alone.
func (s *speaker) ordinal(_ []field, _ int, core string) (string, bool) {
	m := ordinalPattern.FindStringSubmatch(core)
	switch {
	case m == nil || !s.english || len(m[1]) > 2:
		return "", false
	case m[2] != "":
		return m[1] + " thousandth", true
	}
	return m[1] + " hundredth", true
}

// Roman numerals after these words are numbers; after a name they are ordinals.
var (
	numberedParts = set("chapter part section book volume act scene unit lesson level type phase class grade article appendix figure table " +
		"episode season war round stage task question module chương phần khóa khoá kỳ quý lần tập điều mục kỷ bài")
	rulers = set("henry elizabeth george edward charles william james richard louis paul benedict pius philip napoleon catherine peter " +
		"nicholas alexander leo mary francis frederick john gregory ramesses rama")
)

// roman reads Roman numerals up to 39; "" if the field is none.
func (s *speaker) roman(fields []field, i int) string {
	core, before := fields[i].core, previous(fields, i)
	if core == "" || len(core) > 6 || strings.Trim(core, "IVX") != "" {
		return ""
	}
	beside := i > 0 && fields[i-1].core != "" && fields[i-1].trail == "" && fields[i].lead == "" && !strings.Contains(fields[i].space, "\n")
	if isArticle(before) {
		return "" // "an IV drip"
	}
	if core == "I" && s.english && (!beside || isPronoun(fields, i)) {
		return ""
	}
	known := beside && numberedParts[before] || s.english && beside && rulers[before] && beginsUpper(fields[i-1].core)
	if len(core) == 1 && (!known || core == "I" && rulers[before]) || !known && (!s.english || strings.Trim(core, "X") == "") {
		return ""
	}
	for n := 1; n < 40; n++ {
		if core != strings.Repeat("X", n/10)+[]string{"", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"}[n%10] {
			continue
		}
		if s.english && beside && rulers[before] {
			return "the " + nth(n)
		}
		return number(rune(n))
	}
	return ""
}

// isPronoun reports whether the "I" in a field may be the pronoun, as in "the part I
// like"; there is a word before it.
func isPronoun(fields []field, i int) bool {
	if !beginsUpper(fields[i-1].core) {
		return true
	}
	after, ok := next(fields, i)
	before := previous(fields, i)
	switch {
	case !ok || after.core == "" || beginsUpper(after.core), noClauses[before]:
		return false
	case before == "war":
		return previous(fields, i-1) != "world" // "World War I began"
	}
	return !numberedParts[before] || beginsSentence(fields, i-1) // "Part I like", but "in Part I we"
}

// noClauses begin no clause with "I", as "Part I like best" does: "Type I diabetes".
var noClauses = set("type phase")

// beginsSentence reports whether a field is the first one of a sentence.
func beginsSentence(fields []field, i int) bool {
	return i == 0 || fields[i].lead != "" || strings.ContainsAny(fields[i-1].trail, ".!?…:") || strings.Contains(fields[i].space, "\n")
}

// beginsUpper reports whether a word, which may be empty, begins with a capital.
func beginsUpper(word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(first)
}
