package textnorm

import "strings"

// abbreviations are always read in full. A key is in lower case, without dots at its
// end.
var abbreviations = map[string][][]string{
	"mr": {{"mister"}}, "mrs": {{"missus"}, {"misses"}}, "ms": {{"miss"}, {"ms"}}, "dr": {{"doctor"}}, "prof": {{"professor"}},
	"jr": {{"junior"}}, "sr": {{"senior"}}, "vs": {{"versus"}}, "etc": {{"et", "cetera"}, {"etcetera"}, {"and", "so", "on"}},
	"e.g": {{"for", "example"}, {"e", "g"}}, "i.e": {{"that", "is"}, {"i", "e"}}, "a.m": {{"a", "m"}}, "p.m": {{"p", "m"}},
	"ph.d": {{"p", "h", "d"}}, "approx": {{"approximately"}}, "dept": {{"department"}}, "ave": {{"avenue"}}, "blvd": {{"boulevard"}},
	"ok": {{"okay"}, {"o", "k"}}, "tv": {{"t", "v"}, {"television"}}, "o.k": {{"okay"}},
	"w/o": {{"without"}}, "c/o": {{"care", "of"}, {"c", "o"}}, "b.sc": {{"b", "s", "c"}}, "m.sc": {{"m", "s", "c"}}, "phd": {{"p", "h", "d"}},
	"asap": {{"a", "s", "a", "p"}, {"asap"}, {"as", "soon", "as", "possible"}}, "lol": {{"lol"}, {"l", "o", "l"}, {"laughing", "out", "loud"}},
	"omg": {{"o", "m", "g"}, {"oh", "my", "god"}}, "btw": {{"by", "the", "way"}, {"b", "t", "w"}}, "idk": {{"i", "d", "k"}, {"i", "don't", "know"}},
	"gr8": {{"great"}}, "b4": {{"before"}, {"b", "four"}}, "l8r": {{"later"}}, "m8": {{"mate"}}, "w8": {{"wait"}}, "2day": {{"today"}},
	"2nite": {{"tonight"}}, "2moro": {{"tomorrow"}}, "4ever": {{"forever"}},
}

// counted are abbreviations only before a number.
var counted = map[string]string{
	"no": "number", "nos": "numbers", "p": "page", "pp": "pages", "vol": "volume", "ch": "chapter", "fig": "figure", "figs": "figures",
	"sec": "section", "art": "article", "ext": "extension", "tel": "telephone",
}

// dotted are abbreviations only with a dot after them: without it they may be
// words.
var dotted = map[string][]string{
	"inc": {"incorporated"}, "ltd": {"limited"}, "co": {"company"}, "corp": {"corporation"}, "capt": {"captain"},
	"gen": {"general"}, "sgt": {"sergeant"}, "lt": {"lieutenant"}, "gov": {"governor"}, "sen": {"senator"}, "rep": {"representative"},
	"rev": {"reverend"}, "hon": {"honorable"}, "rd": {"road"}, "mt": {"mount"}, "fig": {"figure"}, "vol": {"volume"}, "est": {"established"},
	"jan": {"january"}, "feb": {"february"}, "mar": {"march"}, "apr": {"april"}, "jun": {"june"}, "jul": {"july"},
	"aug": {"august"}, "sep": {"september"}, "sept": {"september"}, "oct": {"october"}, "nov": {"november"}, "dec": {"december"},
	"mon": {"monday"}, "tue": {"tuesday"}, "tues": {"tuesday"}, "wed": {"wednesday"}, "thu": {"thursday"}, "thurs": {"thursday"},
	"fri": {"friday"}, "sat": {"saturday"}, "sun": {"sunday"},
}

// unit is a unit of measure or money after a number. Its readings are separated by
// "/".
type unit struct {
	one, many string
	glued     bool // only directly after the digits: alone it is another word
}

// readings returns the readings of a unit after 1 or after another number. "five
// dollar" is a mistake.
func (u unit) readings(one bool) [][]string {
	if one {
		return word(strings.Split(u.one, "/")...)
	}
	return word(strings.Split(u.many, "/")...)
}

var units = func() map[string]unit {
	u := func(one, many string) unit { return unit{one: one, many: many} }
	same := func(name string) unit { return unit{one: name, many: name} }
	glued := func(one, many string) unit { return unit{one: one, many: many, glued: true} }
	hour := u("kilometer per hour/kilometre per hour/kilometer an hour/kilometre an hour", "kilometers per hour/kilometres per hour/kilometers an hour/kilometres an hour")
	return map[string]unit{
		"%": same("percent"), "°": u("degree", "degrees"), "kg": u("kilogram/kilo", "kilograms/kilos"), "mg": u("milligram", "milligrams"),
		"km": u("kilometer/kilometre", "kilometers/kilometres"), "cm": u("centimeter/centimetre", "centimeters/centimetres"),
		"mm": u("millimeter/millimetre", "millimeters/millimetres"), "ml": u("milliliter/millilitre", "milliliters/millilitres"),
		"lb": u("pound", "pounds"), "lbs": u("pound", "pounds"), "oz": u("ounce", "ounces"), "ft": u("foot", "feet/foot"),
		"hz": same("hertz"), "khz": same("kilohertz"), "mhz": same("megahertz"), "ghz": same("gigahertz"),
		"kb": u("kilobyte", "kilobytes"), "mb": u("megabyte/meg", "megabytes/megs"), "gb": u("gigabyte/gig", "gigabytes/gigs"),
		"tb": u("terabyte", "terabytes"), "hr": u("hour", "hours"), "hrs": u("hour", "hours"), "min": u("minute", "minutes"),
		"mins": u("minute", "minutes"), "sec": u("second", "seconds"), "secs": u("second", "seconds"),
		"mph": u("mile per hour/mile an hour", "miles per hour/miles an hour"), "km/h": hour, "kph": hour, "kmh": hour,
		"°c": u("degree celsius/degree c/degree", "degrees celsius/degrees c/degrees/celsius/degrees centigrade"),
		"°f": u("degree fahrenheit/degree f/degree", "degrees fahrenheit/degrees f/degrees/fahrenheit"),
		"g":  glued("gram", "grams"), "m": glued("meter/metre", "meters/metres"), "l": glued("liter/litre", "liters/litres"),
		"h": glued("hour", "hours"), "s": glued("second", "seconds"), "in": glued("inch", "inches"), "k": glued("thousand", "thousand"),
		"m²": u("square meter/square metre", "square meters/square metres"), "km²": u("square kilometer/square kilometre", "square kilometers/square kilometres"),
		"m³": u("cubic meter/cubic metre", "cubic meters/cubic metres"), "cm²": u("square centimeter/square centimetre", "square centimeters/square centimetres"),
		"m/s": u("meter per second/metre per second", "meters per second/metres per second"), "mbps": u("megabit per second", "megabits per second"),
		"kcal": u("kilocalorie/kcal", "kilocalories/kcal"), "cal": u("calorie", "calories"), "kwh": u("kilowatt hour", "kilowatt hours"),
		"kw": u("kilowatt", "kilowatts"), "w": glued("watt", "watts"), "v": glued("volt", "volts"),
		"¢": u("cent", "cents"), "p": glued("penny/p", "pence/p"), "₩": same("won"), "₹": u("rupee", "rupees"), "฿": same("baht"),
		"x": glued("time", "times"), "am": glued("a m", "a m"), "pm": glued("p m", "p m"),
		"$": u("dollar", "dollars"), "€": u("euro", "euros"), "£": u("pound", "pounds"), "¥": same("yen"), "₫": same("dong"),
		"đ": same("dong"), "vnd": same("dong/vietnamese dong"), "vnđ": same("dong/vietnamese dong"), "k₫": same("thousand dong"),
		"usd": u("dollar/u s dollar/us dollar", "dollars/u s dollars/us dollars"), "eur": u("euro", "euros"), "gbp": u("pound", "pounds"),
		"jpy": same("yen"),
	}
}()

// currency has the names of a currency and of its hundredth part.
type currency struct{ one, many, cent, cents string }

var currencies = map[rune]currency{
	'$': {"dollar", "dollars", "cent", "cents"},
	'€': {"euro", "euros", "cent", "cents"},
	'£': {"pound", "pounds", "penny", "pence"},
	'¥': {one: "yen", many: "yen"},
	'₫': {one: "dong", many: "dong"},
	'₩': {one: "won", many: "won"},
	'₹': {one: "rupee", many: "rupees"},
	'฿': {one: "baht", many: "baht"},
}

// dollars are those of a country: "US$5".
var dollars = map[string]string{"US": "u s", "A": "australian", "AU": "australian", "C": "canadian", "CA": "canadian", "HK": "hong kong",
	"S": "singapore", "NZ": "new zealand"}

// signs are read as words if they are alone.
var signs = map[string][][]string{
	"&": word("and"), "%": word("percent"), "@": word("at"), "+": word("plus", "and"), "#": word("number", "hash"), "№": word("number"),
	"=": word("equals", "is", "makes", "is equal to", "equal"), "×": word("times", "by", "multiplied by"), "÷": word("divided by", "over"),
	"<": word("is less than", "less than"), ">": word("is greater than", "greater than", "is more than"),
	"≤": word("is less than or equal to", "less than or equal to"), "≥": word("is greater than or equal to", "greater than or equal to"),
	"≠": word("is not equal to", "not equal to"), "≈": word("is about", "is approximately", "about"), "w/": word("with"), "w/o": word("without"),
}

// symbols are read as words between words.
var symbols = map[string]string{"&": "and", "%": "percent", "@": "at", "+": "plus", "=": "equals", "#": "number", "²": "squared", "³": "cubed"}

func isScale(word string) bool {
	switch word {
	case "hundred", "thousand", "million", "billion", "trillion":
		return true
	}
	return false
}
