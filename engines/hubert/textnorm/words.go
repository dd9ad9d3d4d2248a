package textnorm

// abbreviations are always read in full. A key is in lower case, without dots at its
// end.
func abbreviations() map[string][][]string {
	return map[string][][]string{
		"mr": {{"mister"}}, "mrs": {{"missus"}, {"misses"}}, "ms": {{"miss"}, {"ms"}}, "dr": {{"doctor"}}, "prof": {{"professor"}},
		"jr": {{"junior"}}, "sr": {{"senior"}}, "vs": {{"versus"}}, "etc": {{"et", "cetera"}, {"etcetera"}},
		"e.g": {{"for", "example"}, {"e", "g"}}, "i.e": {{"that", "is"}, {"i", "e"}}, "a.m": {{"a", "m"}}, "p.m": {{"p", "m"}},
		"ph.d": {{"p", "h", "d"}}, "approx": {{"approximately"}}, "dept": {{"department"}}, "ave": {{"avenue"}}, "blvd": {{"boulevard"}},
		"ok": {{"okay"}, {"o", "k"}}, "tv": {{"t", "v"}}, "o.k": {{"okay"}},
	}
}

// dotted are abbreviations only with a dot after them: without it they may be
// words.
func dotted() map[string][]string {
	return map[string][]string{
		"inc": {"incorporated"}, "ltd": {"limited"}, "co": {"company"}, "corp": {"corporation"}, "capt": {"captain"},
		"gen": {"general"}, "sgt": {"sergeant"}, "lt": {"lieutenant"}, "gov": {"governor"}, "sen": {"senator"}, "rep": {"representative"},
		"rev": {"reverend"}, "hon": {"honorable"}, "rd": {"road"}, "mt": {"mount"}, "fig": {"figure"}, "vol": {"volume"}, "est": {"established"},
		"jan": {"january"}, "feb": {"february"}, "mar": {"march"}, "apr": {"april"}, "jun": {"june"}, "jul": {"july"},
		"aug": {"august"}, "sep": {"september"}, "sept": {"september"}, "oct": {"october"}, "nov": {"november"}, "dec": {"december"},
		"mon": {"monday"}, "tue": {"tuesday"}, "tues": {"tuesday"}, "wed": {"wednesday"}, "thu": {"thursday"}, "thurs": {"thursday"},
		"fri": {"friday"}, "sat": {"saturday"}, "sun": {"sunday"},
	}
}

// unit is a unit of measure after a number.
type unit struct {
	one, many []string
	glued     bool // only directly after the digits: alone it is another word
}

func units() map[string]unit {
	u := func(one, many string) unit { return unit{one: []string{one}, many: []string{many}} }
	glued := func(one, many string) unit { return unit{one: []string{one}, many: []string{many}, glued: true} }
	hour := unit{one: []string{"kilometer", "per", "hour"}, many: []string{"kilometers", "per", "hour"}}
	return map[string]unit{
		"%": u("percent", "percent"), "°": u("degree", "degrees"), "kg": u("kilogram", "kilograms"), "mg": u("milligram", "milligrams"),
		"km": u("kilometer", "kilometers"), "cm": u("centimeter", "centimeters"), "mm": u("millimeter", "millimeters"),
		"ml": u("milliliter", "milliliters"), "lb": u("pound", "pounds"), "lbs": u("pound", "pounds"), "oz": u("ounce", "ounces"),
		"ft": u("foot", "feet"), "hz": u("hertz", "hertz"), "khz": u("kilohertz", "kilohertz"), "mhz": u("megahertz", "megahertz"),
		"ghz": u("gigahertz", "gigahertz"), "kb": u("kilobyte", "kilobytes"), "mb": u("megabyte", "megabytes"), "gb": u("gigabyte", "gigabytes"),
		"tb": u("terabyte", "terabytes"), "hr": u("hour", "hours"), "hrs": u("hour", "hours"), "min": u("minute", "minutes"),
		"mins": u("minute", "minutes"), "sec": u("second", "seconds"), "secs": u("second", "seconds"),
		"mph":  {one: []string{"mile", "per", "hour"}, many: []string{"miles", "per", "hour"}},
		"km/h": hour, "kph": hour, "kmh": hour,
		"°c": {one: []string{"degree", "celsius"}, many: []string{"degrees", "celsius"}},
		"°f": {one: []string{"degree", "fahrenheit"}, many: []string{"degrees", "fahrenheit"}},
		"g":  glued("gram", "grams"), "m": glued("meter", "meters"), "l": glued("liter", "liters"), "h": glued("hour", "hours"),
		"s": glued("second", "seconds"), "in": glued("inch", "inches"), "k": glued("thousand", "thousand"),
		"am": {one: []string{"a", "m"}, many: []string{"a", "m"}, glued: true}, "pm": {one: []string{"p", "m"}, many: []string{"p", "m"}, glued: true},
	}
}

// currency has the names of a currency and of its hundredth part.
type currency struct{ one, many, cent, cents string }

func currencies() map[rune]currency {
	return map[rune]currency{
		'$': {"dollar", "dollars", "cent", "cents"},
		'€': {"euro", "euros", "cent", "cents"},
		'£': {"pound", "pounds", "penny", "pence"},
		'¥': {one: "yen", many: "yen"},
		'₫': {one: "dong", many: "dong"},
	}
}

// symbols are read as words if they are alone or between words.
func symbols() map[string]string {
	return map[string]string{"&": "and", "%": "percent", "@": "at", "+": "plus", "=": "equals", "#": "number"}
}

func isScale(word string) bool {
	switch word {
	case "hundred", "thousand", "million", "billion", "trillion":
		return true
	}
	return false
}
