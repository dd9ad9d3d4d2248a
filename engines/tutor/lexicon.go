package tutor

import (
	"slices"
	"strings"
)

// The closed word classes and irregular forms that classify uses. They are
// constants: nothing writes to them.
var (
	articles     = set("a an the")
	prepositions = set("about above across after against along among around as at before behind below between by during for from in inside into near of off on onto out over since through to towards under until up upon with within without")
	subjects     = set("i you he she it we they who that which there")
	quantifiers  = set("two three four five six seven eight nine ten many several few some all both these those this that each every one much any more most other another no my your his her its our their")

	// agreeing groups forms that differ only in person or number.
	agreeing = groups(
		"am is are", "isn't aren't", "was were", "wasn't weren't",
		"do does", "don't doesn't", "have has", "haven't hasn't",
		"this these", "that those", "himself herself itself themselves",
	)
	confusable = groups(
		"their there they're", "then than", "its it's", "your you're", "to too two", "lose loose",
		"advice advise", "affect effect", "quiet quite", "were where", "who whose whom", "many much",
		"few little", "fewer less", "say tell", "speak talk", "see watch look", "good well", "make do", "open turn switch", "close turn switch", "borrow lend", "hear listen", "teach learn", "teaches learns",
		"taught learned learnt", "remember remind", "bring take", "wear put", "job work", "travel trip", "fun funny",
	)
	// shortened are words as people write them in a chat.
	shortened = groups(
		"u you", "ur your you're", "r are", "y why", "n and", "pls plz please", "thx thanks thank",
		"wanna want", "gonna going", "gotta got", "tmr tmrw tomorrow", "bc cuz cause because", "ppl people",
		"msg message", "gd good", "luv love", "abt about", "b4 before", "4ever forever",
		"ya yea yep yup ye yess yes yeah vâng vang dạ", "nah nope no không khong", "gr8 great", "l8r later", "m8 mate", "w8 wait", "2 to too", "4 for", "c see", "k ok okay", "2day today", "2nite tonight",
		"2moro 2mrw tomorrow", "wat what", "wen when", "dis this", "da the", "coz because", "ya you", "yr your", "tho though", "thru through",
		"kinda kind", "lemme let", "gimme give", "hav have", "wud would", "shud should", "cud could", "bday birthday", "sis sister", "bro brother",
	)
	// phrases are abbreviations of several words.
	phrases = map[string][]string{
		"idk": {"i", "do", "not", "know"}, "btw": {"by", "the", "way"}, "imo": {"in", "my", "opinion"}, "dunno": {"do", "not", "know"},
		"asap": {"as", "soon", "as", "possible"}, "omw": {"on", "my", "way"}, "brb": {"be", "right", "back"}, "im": {"i", "am"},
		"dont": {"do", "not"}, "doesnt": {"does", "not"}, "didnt": {"did", "not"}, "isnt": {"is", "not"}, "cant": {"can", "not"},
		"wont": {"will", "not"}, "ive": {"i", "have"}, "cannot": {"can", "not"},
	}
	// endings are those of contractions; "s" is "is" after pronounIs.
	endings   = map[string]string{"m": "am", "re": "are", "ve": "have", "ll": "will", "d": "would", "s": "is"}
	pronounIs = set("he she it that there here what where who how this")
	// numberWords are the words of numbers.
	numberWords = map[string]string{
		"0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six", "7": "seven", "8": "eight", "9": "nine",
		"10": "ten", "11": "eleven", "12": "twelve", "13": "thirteen", "14": "fourteen", "15": "fifteen", "16": "sixteen", "17": "seventeen",
		"18": "eighteen", "19": "nineteen", "20": "twenty", "30": "thirty", "40": "forty", "50": "fifty", "60": "sixty", "70": "seventy",
		"80": "eighty", "90": "ninety", "1st": "first", "2nd": "second", "3rd": "third", "4th": "fourth", "5th": "fifth",
	}
	plurals = groups(
		"child children", "man men", "woman women", "person people", "foot feet", "tooth teeth",
		"mouse mice", "goose geese", "knife knives", "wife wives", "life lives", "leaf leaves",
		"mouses mice", "half halves", "shelf shelves", "wolf wolves", "childs children", "mans men", "peoples people",
		"informations information", "advices advice", "homeworks homework", "furnitures furniture",
		"equipments equipment", "knowledges knowledge", "luggages luggage", "moneys money",
	)
	// knownNames are days, months, and groups of a country, its people and its language.
	knownNames = groups(
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march", "april", "may",
		"june", "july", "august", "september", "october", "november", "december",
		"denmark danish dane danes", "holland netherlands dutch", "wales welsh", "thailand thai", "switzerland swiss",
		"england britain english british", "america american americans english", "australia australian english", "france french",
		"spain spanish spaniard", "germany german", "turkey turkish turk", "poland polish pole", "sweden swedish swede",
		"ireland irish", "scotland scottish scots", "greece greek", "china chinese", "japan japanese", "vietnam vietnamese",
		"korea korean", "russia russian", "italy italian", "portugal portuguese", "brazil brazilian portuguese", "mexico mexican spanish",
		"norway norwegian", "finland finnish finn", "iceland icelandic", "belgium belgian", "czechia czech", "hungary hungarian",
		"ukraine ukrainian", "romania romanian", "egypt egyptian", "iraq iraqi", "israel israeli hebrew", "arabia arab arabic",
		"laos lao laotian", "cambodia cambodian khmer", "myanmar burma burmese", "philippines filipino tagalog", "malaysia malay malaysian",
		"indonesia indonesian", "singapore singaporean", "taiwan taiwanese", "mongolia mongolian", "india indian hindi",
		"canada canadian", "europe european", "asia asian", "africa african",
	)
	irregularVerbs = groups(
		"be am is are was were been being isn't aren't wasn't weren't",
		"do does did done doing don't doesn't didn't", "have has had having haven't hasn't hadn't",
		"go goes went gone going", "come comes came coming", "see sees saw seen seeing",
		"eat eats ate eaten eating", "drink drinks drank drunk drinking", "take takes took taken taking",
		"make makes made making", "give gives gave given giving", "get gets got gotten getting",
		"know knows knew known knowing", "think thinks thought thinking", "say says said saying",
		"tell tells told telling", "write writes wrote written writing", "read reads reading",
		"speak speaks spoke spoken speaking", "buy buys bought buying", "bring brings brought bringing",
		"teach teaches taught teaching", "catch catches caught catching", "find finds found finding",
		"feel feels felt feeling", "leave leaves left leaving", "meet meets met meeting",
		"keep keeps kept keeping", "sleep sleeps slept sleeping", "spend spends spent spending",
		"send sends sent sending", "build builds built building", "lend lends lent lending",
		"lose loses lost losing", "run runs ran running", "sit sits sat sitting",
		"begin begins began begun beginning", "sing sings sang sung singing", "swim swims swam swum swimming",
		"drive drives drove driven driving", "ride rides rode ridden riding", "choose chooses chose chosen choosing",
		"break breaks broke broken breaking", "forget forgets forgot forgotten forgetting",
		"wear wears wore worn wearing", "grow grows grew grown growing", "fly flies flew flown flying",
		"draw draws drew drawn drawing", "throw throws threw thrown throwing", "fall falls fell fallen falling",
		"become becomes became becoming", "understand understands understood understanding",
		"stand stands stood standing", "hear hears heard hearing", "win wins won winning",
		"pay pays paid paying", "sell sells sold selling", "hold holds held holding",
		"can could", "will would won't wouldn't", "shall should", "may might",
	)
)

func set(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// groups maps each word to the indices of the lists that contain it.
func groups(lists ...string) map[string][]int {
	out := map[string][]int{}
	for i, list := range lists {
		for _, w := range strings.Fields(list) {
			out[w] = append(out[w], i)
		}
	}
	return out
}

// sameGroup reports whether a and b are in one group.
func sameGroup(groups map[string][]int, a, b string) bool {
	return slices.ContainsFunc(groups[a], func(g int) bool { return slices.Contains(groups[b], g) })
}

func inAny(groups map[string][]int, w string) bool { return len(groups[w]) > 0 }

// sameVerb reports whether a and b are forms of one irregular verb.
func sameVerb(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return sameGroup(irregularVerbs, a, b) || sameGroup(irregularVerbs, regularised(a, "ed"), b) || sameGroup(irregularVerbs, a, regularised(b, "ed"))
}

// samePlural reports whether a and b are forms of one irregular noun.
func samePlural(a, b string) bool {
	return sameGroup(plurals, a, b) || sameGroup(plurals, strings.TrimSuffix(a, "s"), b) || sameGroup(plurals, strings.TrimSuffix(a, "es"), b)
}

// regularised returns the irregular word of which somebody made a regular form: "go" of
// "goed", "make" of "maked", "run" of "runned".
func regularised(w, ending string) string {
	base, found := strings.CutSuffix(w, ending)
	switch {
	case !found || len(base) < 2:
		return ""
	case inAny(irregularVerbs, base):
		return base
	case inAny(irregularVerbs, base+"e"):
		return base + "e"
	case base[len(base)-1] == base[len(base)-2]:
		return base[:len(base)-1]
	}
	return ""
}
