"""Noun phrases, subjects, times and verbs with typical mistakes; forms.py builds sentences from them."""

import random
import re
import unicodedata

from chat import lexicon
from chat.parts import part
from speech import words

VOWELS = "aeiou"
NOT_AN = ("university", "uniform", "european", "one", "useful")  # written with a vowel, said with none
BE = {"I": "am", "he": "is", "they": "are"}
WAS = {"I": "was", "he": "was", "they": "were"}
_INITIALS = "b c ch d đ g gi h k kh l m n ng nh ph r s t th tr v x".split()
_RHYMES = ("a ai am an ang anh ao ap at au ay ăm ăn ăng ăt âm ân âng ât âu ây e em en eo ê ên êm ênh êu i ia iêm iên iêng iêt iêu inh im in it "
           "o oa oan oang oanh oi om on ong ô ôi ôm ôn ông ôt ơ ơi ơn u ua uân ui um un ung uôc uôi uôn uông uy uyên uyêt uynh ư ưa ưng "
           "ươi ươn ương ưu y yên").split()
_TONES = ("", "", "\N{COMBINING GRAVE ACCENT}", "\N{COMBINING ACUTE ACCENT}", "\N{COMBINING HOOK ABOVE}", "\N{COMBINING TILDE}",
          "\N{COMBINING DOT BELOW}")
_NUCLEUS = re.compile(r"(?:.*[ăâêôơư]|.*[aeiouy](?=[a-z]*[bcdghmnpt]$)|[ou](?=[ae]$)|uy$|.*?[aeiouy])")  # up to the letter that bears the tone


def article(phrase: str) -> str:
    """The indefinite article of a phrase."""
    if phrase.startswith(NOT_AN):
        return "a"
    return "an" if phrase[0].lower() in VOWELS or phrase.startswith("hour") or phrase.startswith("honest") else "a"


class Writer:
    """Chooses words; rng decides about everything."""

    unknown = 0.0  # the share of words that are none of the rules' own
    others = frozenset()  # real ones among those

    def __init__(self, rng: random.Random):
        self.rng = rng

    def open(self):
        """Begins a sentence."""

    def any(self, choices):
        return self.rng.choice(choices)

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def strange(self) -> str:
        """A name or word that no list has: such are copied letter by letter."""
        kind = self.rng.random()
        if kind < 0.5:
            return " ".join(self.syllable().capitalize() for _ in range(self.pick(1, 1, 2, 3)))
        if kind < 0.9:
            return "".join(self.any("bcdfghjklmnprstvwz") + self.any("aeiouy") + self.pick("", "", "n", "r", "s", "l")
                           for _ in range(self.pick(1, 2, 2, 3))).capitalize()
        return "".join(self.any("ABCDEFGHKLMNPQRSTUVWXYZ0123456789") for _ in range(self.pick(2, 3, 4)))

    def syllable(self) -> str:
        """What could be a Vietnamese syllable."""
        rhyme = self.any(_RHYMES)
        initial = "q" if rhyme.startswith(("uy", "uâ")) and self.chance(0.3) else self.any(_INITIALS)
        bearer = _NUCLEUS.match(rhyme).end()
        return initial + unicodedata.normalize("NFC", rhyme[:bearer] + self.any(_TONES) + rhyme[bearer:])

    def name(self) -> str:
        return self.strange() if self.chance(0.3) else self.any(lexicon.NAMES)

    def town(self) -> str:
        return self.strange() if self.chance(0.25) else self.any(lexicon.TOWNS)

    def noun(self) -> str:
        return self.any(lexicon.COUNTABLE)

    def doer(self) -> str:
        return self.any(lexicon.PEOPLE)

    def adjective(self) -> str:
        return self.any(lexicon.ADJECTIVES)

    def uncounted(self) -> str:
        return self.any(lexicon.UNCOUNTABLE)

    def site(self) -> str:
        return self.any(words.PLACES)

    def adverb(self) -> str:
        return self.any(sorted(lexicon.MANNER))

    def forms(self, verb: str):
        """Base, third person, past and -ing."""
        return lexicon.FORMS[verb]

    def singular(self):
        """One thing: an article, perhaps an adjective, a noun."""
        noun = self.noun()
        if self.chance(0.4):
            adjective = self.adjective()
            a = article(adjective)
            return part(f"{a} {adjective} {noun}", (f"{adjective} {noun}", "a"), (f"{a} {noun} {adjective}", "order"),
                        (f"{'an' if a == 'a' else 'a'} {adjective} {noun}", "an"),
                        (f"{a} {adjective} {words.plural(noun)}", "singular", a))
        a = article(noun)
        return part(f"{a} {noun}", (noun, "a"), (f"{'an' if a == 'a' else 'a'} {noun}", "an"),
                    (f"{a} {words.plural(noun)}", "singular", a))

    def several(self):
        """More than one thing."""
        noun, cue = self.noun(), self.pick(*lexicon.NUMBERS[1:12], "many", "two", "three", "some", "a lot of",
                                                            "a few", "several", "these", "those", "2", "3", "5", "10", "20")
        adjective = self.adjective() + " " if self.chance(0.25) else ""
        many, wrongs = words.plural(noun), [(f"{cue} {adjective}{noun}", "plural", cue)] * 2
        if many != noun + "s" and many != noun + "es" or self.chance(0.05):
            wrongs.append((f"{cue} {adjective}{noun}s", "spelling"))
        if cue == "many":
            wrongs.append((f"much {adjective}{many}", "choice"))
        if cue in ("these", "those"):
            wrongs.append((f"{'this' if cue == 'these' else 'that'} {adjective}{many}", "agree", many))
        return part(f"{cue} {adjective}{many}", *wrongs)

    def stuff(self):
        """Something that is not counted."""
        noun, cue = self.uncounted(), self.pick("some", "a lot of", "much", "the", "more", "my")
        wrongs = [(f"{cue} {noun}s", "uncountable")] if noun not in ("news", "rice", "traffic") else []
        if cue == "much":
            wrongs.append((f"many {noun}", "choice"))
        if cue == "some":
            wrongs.append((f"{article(noun)} {noun}", "choice"))
        return part(f"{cue} {noun}", *wrongs)

    def owned(self):
        """Somebody's thing."""
        noun = self.noun()
        if self.chance(0.5):
            owner = self.pick("my", "your", "his", "her", "our", "their")
            bare = {"my": "me", "your": "you", "his": "he", "her": "she", "our": "we", "their": "they"}[owner]
            return part(f"{owner} {noun}", (f"the {owner} {noun}", "no article"), (f"{bare} {noun}", "choice"))
        owner = self.pick(self.name(), "my " + self.any(lexicon.FAMILY), "the " + self.doer())
        return part(f"{owner}'s {noun}", (f"{owner} {noun}", "mark"), (f"{owner}s {noun}", "mark"))

    def thing(self):
        """A noun phrase."""
        kind = self.rng.random()
        if kind < 0.4:
            return self.singular()
        if kind < 0.65:
            return self.several()
        if kind < 0.75:
            return self.stuff()
        if kind < 0.9:
            return self.owned()
        return part("the " + self.any(lexicon.COUNTABLE + lexicon.UNCOUNTABLE))

    def subject(self):
        """Returns a subject and its person: "I", "he" (third singular) or "they" (all others)."""
        kind = self.rng.random()
        if kind < 0.55:
            text, person, bad = self.pick(("I", "I", "me"), ("you", "they", ""), ("he", "he", "him"), ("she", "he", "her"),
                                          ("we", "they", "us"), ("they", "they", "them"), ("it", "he", ""))
            return part(text, *([(bad, "choice")] if bad and self.chance(0.3) else [])), person
        if kind < 0.7:
            return part(self.name()), "he"
        if kind < 0.84:
            return part(self.pick("my", "my", "his", "her", "our", "your") + " " + self.any(lexicon.FAMILY)), "he"
        if kind < 0.88:
            text = self.pick("everyone", "nobody", "someone", "everybody", "this " + self.doer())
            return part(text), "he"
        if kind < 0.93:
            return part("the " + self.doer()), "he"
        text = self.pick("the children", "people", "my parents", "my friends", f"{self.name()} and {self.name()}", "the students",
                         "Vietnamese people", f"{self.name()} and I", "many " + words.plural(self.doer()))
        return part(text), "they"

    def be(self, cue: str, person: str, past=False):
        """A form of "to be"."""
        forms = WAS if past else BE
        wrongs = [(form, "agree", cue) for form in sorted(set(forms.values()) - {forms[person]})]
        wrongs += [("", "missing")] * (0 if past else 2)
        if past:
            wrongs.append((BE[person], "past"))
        return part(forms[person], *wrongs)

    def verb(self):
        """A verb with what follows it: (verb, parts)."""
        kind = self.rng.random()
        if kind < 0.5:
            verb = self.any(sorted(lexicon.OBJECTS))
            return verb, [self.object(verb)]
        if kind < 0.62:
            verb = self.pick("buy", "see", "find", "need", "want", "have", "bring", "sell", "lose", "like", "draw", "break")
            return verb, [self.thing()]
        if kind < 0.9:
            row = self.any(lexicon.PREPOSITIONAL)
            follow = self.any(row[2].split(","))
            wrongs = [(follow, "preposition")]
            others = {"to": ("at", "in"), "for": ("to",), "at": ("to", "in"), "on": ("of", "in"), "in": ("at", "on"),
                      "with": ("to",), "about": ("of",)}
            if row[0] != "play" and (row[0], row[1]) not in (("look", "at"), ("look", "for"), ("talk", "to"), ("talk", "about")):
                wrongs.append((f"{self.any(others[row[1]])} {follow}", "preposition"))
            if row[0] == "go" and follow.startswith("the "):
                wrongs.append((f"{row[1]} {follow[4:]}", "the"))
            return row[0], [part(f"{row[1]} {follow}", *wrongs)]
        return self.any(lexicon.INTRANSITIVE), [self.manner()]

    def object(self, verb: str):
        text = self.any(lexicon.OBJECTS[verb])
        wrongs = []
        if text in ("football", "chess", "tennis", "badminton", "volleyball", "breakfast", "lunch", "dinner"):
            wrongs.append((f"the {text}", "no article"))
        if text.startswith(("a ", "an ")):
            a, rest = text.split(" ", 1)
            wrongs += [(rest, "a"), (f"{'an' if a == 'a' else 'a'} {rest}", "an")]
        if text.startswith("the ") and verb in ("play", "open", "close", "clean", "take"):
            wrongs.append((text[4:], "the"))
        if text.endswith("homework") and verb == "do":
            wrongs.append((text + "s", "uncountable"))
        if text in ("him", "her", "me"):
            wrongs.append(({"him": "he", "her": "she", "me": "I"}[text], "choice"))
        return part(text, *wrongs)

    def manner(self):
        if self.chance(0.5):
            adverb = self.adverb()
            text = self.pick("very ", "", "") + adverb
            return part(text, (lexicon.MANNER.get(adverb, text), "choice"))
        return self.place()

    def place(self):
        """Where: a preposition with its noun."""
        right, *wrong = self.pick(("at home", "at the home"), ("at school", "on school"), ("at work", "on work"),
                                  ("in the garden", "on the garden"), ("on the table", "in table"), ("in the park", "in park"),
                                  ("on the bus", "in bus"), ("in the kitchen", "on the kitchen"), ("at the station", "in station"),
                                  ("in the city", "in city"), ("on the farm", "at farm"), ("in bed", "at bed"), ("", ))
        if not right or self.chance(0.4):
            noun = self.site()
            if self.chance(0.3):
                town = self.town()
                return part("in " + town, ("at " + town, "preposition"), ("in the " + town, "no article"))
            head = self.pick("near", "behind", "next to", "in front of", "in")
            return part(f"{head} the {noun}", (f"{head} {noun}", "the"))
        rule = "no article" if wrong[0] == "at the home" else "the" if right.replace("the ", "") == wrong[0] else "preposition"
        return part(right, (wrong[0], rule))

    def when(self, kind: str):
        """A time: of a habit, of the past, of the future, or of now."""
        day, month = self.any(lexicon.DAYS), self.any(lexicon.MONTHS)
        hour, year = self.any(lexicon.NUMBERS[:12]), str(self.rng.randint(1990, 2026))
        if kind == "habit":
            text = self.pick("every day", "every morning", "every " + day, "in the morning", "at night", "in the evening",
                             f"at {hour} o'clock", "on " + day, f"on {day}s", "once a week", "in " + month, "in summer",
                             "twice a week", "after school", "every week", "at the weekend", "every evening")
            swap = {"in the morning": "at the morning", "in the evening": "at the evening", "at night": "in night",
                    "at the weekend": "in the weekend", "once a week": "one a week"}
            wrongs = [(swap[text], "preposition" if text != "once a week" else "choice")] if text in swap else []
            if text.startswith("every "):
                wrongs.append((text + "s" if not text.endswith("y") or text.endswith("day") else text[:-1] + "ies",
                               "singular", "every"))
            if text.startswith("at ") and "o'clock" in text:
                wrongs += [("on" + text[2:], "preposition"), ("in" + text[2:], "preposition"), (text[3:], "preposition")]
            if text.startswith("on "):
                wrongs += [("in" + text[2:], "preposition"), ("at" + text[2:], "preposition")]
            if text == "in " + month:
                wrongs += [("on" + text[2:], "preposition"), ("at" + text[2:], "preposition")]
            return part(text, *wrongs)
        if kind == "past":
            text = self.pick("yesterday", "last night", "last week", "last " + day, "two days ago", f"{hour} years ago",
                             "in " + year, "last month", "yesterday morning", "last year", "yesterday evening", "last summer")
            wrongs = [("in " + text, "no preposition")] if text.startswith("last ") else []
            wrongs += [("on" + text[2:], "preposition"), ("at" + text[2:], "preposition")] if text == "in " + year else []
            return part(text, *wrongs)
        if kind == "future":
            return part(self.pick("tomorrow", "next week", "next " + day, "soon", "next year", "tomorrow morning", "tonight"))
        return part(self.pick("now", "right now", "at the moment", "now"))
