package aloud

import "sync"

// speaker has the words of a language for numbers with signs.
type speaker struct {
	english                                  bool // or else Vietnamese
	to, and                                  string
	minus, plus, times, dividedBy, equals    string
	over, per, outOf, about, numero, hashtag string
	squared, cubed                           string
	scaleWords                               []string
	scales                                   map[string]string
	money                                    map[string]unit
	small                                    map[string]unit // the hundredth part
	units                                    map[string]unit
	words                                    map[string]string // of chats
}

// speakers are the languages whose words are known.
var speakers = sync.OnceValue(func() map[string]*speaker {
	english := &speaker{
		english: true, to: " to ", and: " and ",
		minus: "minus", plus: "plus", times: "times", dividedBy: "divided by", equals: "equals",
		over: "over", per: "per", outOf: "out of", about: "about", numero: "number", hashtag: "hashtag", squared: "squared", cubed: "cubed",
		scaleWords: []string{"hundred", "thousand", "million", "billion", "trillion"},
		scales: map[string]string{"k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "b": "billion",
			"B": "billion", "bn": "billion", "tr": "million"},
		small: map[string]unit{"$": {"cent", "cents"}, "€": {"cent", "cents"}, "£": {"penny", "pence"}, "US$": {"cent", "cents"}},
	}
	english.words = map[string]string{
		"gr8": "great", "l8r": "later", "m8": "mate", "w8": "wait", "b4": "before", "2day": "today", "2nite": "tonight", "2moro": "tomorrow",
		"4ever": "forever",
	}
	english.money = currencies(map[string]unit{
		"$": {"dollar", "dollars"}, "€": {"euro", "euros"}, "£": {"pound", "pounds"}, "¥": {"yen", "yen"}, "₫": {"dong", "dong"},
		"₩": {"won", "won"}, "₹": {"rupee", "rupees"}, "฿": {"baht", "baht"}, "US$": {"US dollar", "US dollars"},
		"A$": {"Australian dollar", "Australian dollars"}, "C$": {"Canadian dollar", "Canadian dollars"},
		"S$": {"Singapore dollar", "Singapore dollars"}, "HK$": {"Hong Kong dollar", "Hong Kong dollars"},
		"NZ$": {"New Zealand dollar", "New Zealand dollars"},
	})
	english.units = map[string]unit{
		"kg": {"kilogram", "kilograms"}, "g": {"gram", "grams"}, "mg": {"milligram", "milligrams"}, "km": {"kilometer", "kilometers"},
		"m": {"meter", "meters"}, "cm": {"centimeter", "centimeters"}, "mm": {"millimeter", "millimeters"}, "l": {"liter", "liters"},
		"L": {"liter", "liters"}, "ml": {"milliliter", "milliliters"}, "m²": {"square meter", "square meters"},
		"m2": {"square meter", "square meters"}, "km²": {"square kilometer", "square kilometers"}, "km2": {"square kilometer", "square kilometers"},
		"cm²": {"square centimeter", "square centimeters"}, "m³": {"cubic meter", "cubic meters"}, "m3": {"cubic meter", "cubic meters"},
		"km/h": {"kilometer per hour", "kilometers per hour"}, "kmh": {"kilometer per hour", "kilometers per hour"},
		"kph": {"kilometer per hour", "kilometers per hour"}, "mph": {"mile per hour", "miles per hour"},
		"m/s":  {"meter per second", "meters per second"},
		"m/s²": {"meter per second squared", "meters per second squared"}, "°C": {"degree Celsius", "degrees Celsius"},
		"°F": {"degree Fahrenheit", "degrees Fahrenheit"}, "°": {"degree", "degrees"},
		"kb": {"kilobyte", "kilobytes"}, "mb": {"megabyte", "megabytes"}, "gb": {"gigabyte", "gigabytes"}, "tb": {"terabyte", "terabytes"},
		"Mbps": {"megabit per second", "megabits per second"}, "mbps": {"megabit per second", "megabits per second"},
		"hz": {"hertz", "hertz"}, "khz": {"kilohertz", "kilohertz"}, "mhz": {"megahertz", "megahertz"}, "ghz": {"gigahertz", "gigahertz"},
		"lb": {"pound", "pounds"}, "lbs": {"pound", "pounds"}, "oz": {"ounce", "ounces"}, "ft": {"foot", "feet"}, "in": {"inch", "inches"},
		"hr": {"hour", "hours"}, "hrs": {"hour", "hours"}, "h": {"hour", "hours"}, "min": {"minute", "minutes"}, "mins": {"minute", "minutes"},
		"sec": {"second", "seconds"}, "secs": {"second", "seconds"}, "kcal": {"kilocalorie", "kilocalories"},
		"kwh": {"kilowatt hour", "kilowatt hours"}, "kw": {"kilowatt", "kilowatts"}, "W": {"watt", "watts"}, "V": {"volt", "volts"},
		"x": {"time", "times"}, "%": {"percent", "percent"},
	}
	vietnamese := &speaker{
		to: " đến ", and: " ", minus: "trừ", plus: "cộng", times: "nhân", dividedBy: "chia", equals: "bằng",
		over: "trên", per: "một", outOf: "trên", about: "khoảng", numero: "số", hashtag: "hashtag", squared: "bình phương", cubed: "lập phương",
		scaleWords: []string{"nghìn", "ngàn", "triệu", "tỷ", "tỉ"},
		scales:     map[string]string{"k": "nghìn", "K": "nghìn", "m": "triệu", "M": "triệu", "tr": "triệu", "b": "tỷ", "B": "tỷ"},
	}
	same := func(word string) unit { return unit{word, word} }
	vietnamese.words = map[string]string{"HCM": "Hồ Chí Minh", "TPHCM": "thành phố Hồ Chí Minh"}
	vietnamese.money = currencies(map[string]unit{
		"$": same("đô la"), "€": same("ơ rô"), "£": same("bảng"), "¥": same("yên"), "₫": same("đồng"), "₩": same("won"),
		"₹": same("ru pi"), "฿": same("bạt"), "US$": same("đô la Mỹ"),
	})
	vietnamese.units = map[string]unit{
		"kg": same("ki lô gam"), "g": same("gam"), "mg": same("mi li gam"), "km": same("ki lô mét"), "m": same("mét"),
		"cm": same("xen ti mét"), "mm": same("mi li mét"), "l": same("lít"), "L": same("lít"), "ml": same("mi li lít"),
		"m²": same("mét vuông"), "m2": same("mét vuông"), "km²": same("ki lô mét vuông"), "km2": same("ki lô mét vuông"),
		"m³": same("mét khối"), "m3": same("mét khối"), "km/h": same("ki lô mét trên giờ"), "m/s": same("mét trên giây"),
		"°C": same("độ C"), "°F": same("độ F"), "°": same("độ"), "h": same("giờ"),
	}
	return map[string]*speaker{"en": english, "vi": vietnamese}
})

// currencies adds the codes of currencies to their signs.
func currencies(signs map[string]unit) map[string]unit {
	for code, sign := range map[string]string{
		"đ": "₫", "Đ": "₫", "VND": "₫", "VNĐ": "₫", "vnd": "₫", "vnđ": "₫", "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥",
	} {
		signs[code] = signs[sign]
	}
	return signs
}
