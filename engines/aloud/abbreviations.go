package aloud

import (
	"regexp"
	"strings"
	"unicode"
)

// abbreviated matches a word with a dot and the beginning of the next word, a comma or
// the end of the line.
var abbreviated = regexp.MustCompile(`(?m)(^|[^\pL\pN.])(\pL[\pL.]*)\.([ \t]+|,|$)`)

// glued matches abbreviations without the space after them.
var glued = map[string]*regexp.Regexp{
	"en": regexp.MustCompile(`\b((?:Mrs?|Ms|Dr|Prof|St)\.)(\p{Lu}\p{Ll})|\b((?:[Nn]os?|[Pp]{1,2}|[Vv]ol|[Ff]ig|[Cc]h)\.)(\d)`),
	"vi": regexp.MustCompile(`\b((?:TP|Tp|PGS|GS|TS|ThS|BS)\.)(\pL)|\b([QP]\.)(\d)`),
}

// The words below are in lower case, without the last dot.

// known never end a sentence, and engines know them with their dot.
var known = set("mr mrs ms dr messrs")

// inner never end a sentence either.
var inner = set("mx prof e.g i.e cf vs approx ths pgs")

// titles are followed by a name.
var titles = set("st mt mme mlle gen col capt cpt sgt lt maj cmdr adm gov sen rep rev hon pres fr tp ts gs bs ks cn")

// numbered are followed by a number.
var numbered = set("no nos vol fig figs pp p ch sec art jan feb mar apr jun jul aug sep sept oct nov dec q tel ext")

// inFull has what engines would spell or misread.
var inFull = map[string]map[string]string{
	"en": {
		"prof": "professor", "e.g": "for example", "i.e": "that is", "vs": "versus", "approx": "approximately",
		"mt": "mount", "gen": "general", "col": "colonel", "capt": "captain", "cpt": "captain", "sgt": "sergeant",
		"lt": "lieutenant", "maj": "major", "gov": "governor", "sen": "senator", "rev": "reverend", "fr": "father",
		"no": "number", "nos": "numbers", "vol": "volume", "fig": "figure", "figs": "figures", "pp": "pages", "p": "page",
		"ch": "chapter", "sec": "section", "jan": "January", "feb": "February", "mar": "March", "apr": "April",
		"jun": "June", "jul": "July", "aug": "August", "sep": "September", "sept": "September", "oct": "October",
		"nov": "November", "dec": "December", "tel": "telephone", "ext": "extension",
	},
	"vi": {
		"tp": "thành phố", "ts": "tiến sĩ", "ths": "thạc sĩ", "gs": "giáo sư", "pgs": "phó giáo sư", "bs": "bác sĩ",
		"ks": "kỹ sư", "q": "quận", "p": "phường",
	},
}

// closing stand behind a name. Their dot may end a sentence.
var closing = map[string]string{
	"inc": "Incorporated", "co": "Company", "corp": "Corporation", "ltd": "Limited", "jr": "Junior", "sr": "Senior", "ave": "Avenue",
	"blvd": "Boulevard", "rd": "Road", "dept": "Department", "ph.d": "P H D", "b.sc": "B S C", "m.sc": "M S C",
}

// weekdays are read in full where no word and no name is meant: see alsoNames.
var weekdays = map[string]string{
	"mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "thur": "Thursday", "thurs": "Thursday",
	"fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}

// alsoNames are weekdays that are words or names too, if they end a sentence. Then
// something must show that a day is meant.
var alsoNames = set("wed thu sat sun")

// partsOfDay stand behind a day: "Sun. evening".
var partsOfDay = set("morning afternoon evening night")

// joiners stand between two days: "Mon. to Fri.".
var joiners = set("to and or through till until")

// starters are words that often begin a sentence, and are not names.
var starters = set("the a an he she it we they you i this that these those there here in on at but and so or if when then what who why how " +
	"my your his her its our their is are was were do does did not no yes after before for from with as by to")

func set(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// noBreak is a space that does not end a sentence after a dot.
const noBreak = "\u00a0"

// apart puts the space after abbreviations that they lack.
func apart(text, language string) string {
	pattern := glued[base(language)]
	if pattern == nil || !strings.Contains(text, ".") {
		return text
	}
	for range 2 { // "PGS.TS.Lan"
		text = pattern.ReplaceAllString(text, "$1$3 $2$4")
	}
	return text
}

// abbreviations changes those whose dot does not end a sentence.
func abbreviations(text, language string) string {
	if !strings.Contains(text, ".") {
		return text
	}
	full := inFull[base(language)]
	var b strings.Builder
	at := 0 // after a space, or at the beginning
	for {
		m := abbreviated.FindStringSubmatchIndex(text[at:])
		if m == nil {
			break
		}
		word, next := text[at+m[4]:at+m[5]], text[at+m[1]:]
		b.WriteString(text[at : at+m[4]])
		b.WriteString(abbreviation(word, text[at+m[5]:at+m[1]], next, full))
		at += m[1]
	}
	b.WriteString(text[at:])
	return b.String()
}

// abbreviation returns what is read of a word with the dot and the space after it.
// full has the words of the language.
func abbreviation(word, dot, next string, full map[string]string) string {
	key := strings.ToLower(word)
	comma := strings.HasSuffix(dot, ",")
	switch said := behindName(word, next, comma, full != nil && full["e.g"] != ""); {
	case said != "" && comma:
		return said + ","
	case said != "":
		return said + strings.TrimPrefix(dot, ".")
	case comma && full[key] != "" && inner[key]:
		return full[key] + ","
	case comma && spelled.MatchString(word) && key != "a.m" && key != "p.m":
		return strings.ReplaceAll(word, ".", " ") + ","
	case comma:
		return word + dot
	case joins(key, next) && full[key] != "":
		said := full[key]
		if word != key {
			said = strings.ToUpper(said[:1]) + said[1:]
		}
		return said + " "
	case joins(key, next) && (known[key] || key == "st"):
		return word + "." + noBreak
	case joins(key, next):
		return strings.ReplaceAll(word, ".", " ") + " "
	case (isInitial(word) || spelled.MatchString(word)) && continues(next) && key != "a.m" && key != "p.m":
		return strings.ReplaceAll(word, ".", " ") + " " // "J. R. R.", "U.S. Army"
	}
	return word + dot
}

// behindName returns what is read of an abbreviation that stands behind a name, with its
// dot if that ends a sentence; "" if it is none.
func behindName(word, next string, comma, english bool) string {
	key := strings.ToLower(word)
	first := []rune(nextWord(next))
	within := comma || len(first) > 0 && !unicode.IsUpper(first[0])
	said := closing[key]
	if !alsoNames[key] && weekdays[key] != "" {
		said = weekdays[key]
	}
	switch {
	case !english || !unicode.IsUpper([]rune(word)[0]) && key != "dept" && key != "ph.d":
		return ""
	case weekdays[key] != "" && (comma || len(first) > 0 && (unicode.IsDigit(first[0]) || joiners[nextWord(next)] || partsOfDay[nextWord(next)])):
		return weekdays[key]
	case said == "" || within, (key == "jr" || key == "sr") && continues(next):
		return said
	}
	return said + "."
}

// isInitial reports whether a word is the first letter of a name.
func isInitial(word string) bool {
	runes := []rune(word)
	return len(runes) == 1 && unicode.IsUpper(runes[0])
}

// continues reports whether the text after a dot begins with a name.
func continues(next string) bool {
	first := nextWord(next)
	return first != "" && unicode.IsUpper([]rune(first)[0]) && !starters[strings.ToLower(first)]
}

// joins reports whether the dot after a word does not end a sentence.
func joins(key, next string) bool {
	first := nextWord(next)
	switch {
	case first == "":
		return false
	case known[key], inner[key]:
		return true
	case numbered[key]:
		return unicode.IsDigit([]rune(first)[0])
	case titles[key]:
		return continues(next) // "St. Mary", but "Main St. He"
	}
	return false
}

// spelled matches an abbreviation of letters: "U.S".
var spelled = regexp.MustCompile(`^(?:\pL\.)+\pL$`)

// nextWord returns the first word of a text, without the marks before it.
func nextWord(text string) string {
	text = strings.TrimLeft(text, `"'“‘(`)
	end := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) && r != '\'' && r != '’' })
	if end < 0 {
		end = len(text)
	}
	return text[:end]
}
