"""Sentences with more structure: subordinate clauses, passives, conditions, reported speech, questions; see lines.py.
"""

import dataclasses
import re

from chat import lexicon, vocabulary
from chat.everyday import MARKED
from chat.lines import LINES
from chat.parts import part, written
from chat.phrases import BE, WAS, article
from speech import words

_SHORT = {row[0] for row in vocabulary.GRADED + lexicon.COMPARED}
_TOO = ("too,as well,again,anymore,already,here,there,abroad,upstairs,outside,away,together,alone,somewhere,everywhere,even now,right away,at once,"
        "instead,anyway,very much,a lot,more than before,by accident,on purpose,in vain,in a hurry,at home,as usual,all the time,over and over").split(",")
_ONCE = ("once,twice,# weeks ago,# days later,this morning,this afternoon,the day before yesterday,in the past,in those days,at that time,at first,"
         "at last,for the first time,for a long time,for # months,long ago,one day,one evening,a moment ago,in the end,at the end of the year,"
         "during the summer,in the 1990s,the following week,some time later,all night,that evening,last spring,until late at night").split(",")
_LATELY = "recently,lately,so far,many times,since Monday,since last year,for ages,for years,all day,at least once,ever since,before,several times".split(",")
_ACROSS = ("across,along,above,below,against,among,around,behind,beneath,beside,besides,beyond,by,despite,down,during,except,for,from,inside,into,"
           "near,next to,on,on top of,onto,out of,outside,over,past,through,throughout,towards,under,until,up,with,within,without,because of,"
           "in front of,in the middle of,at the end of,on behalf of,close to,far from,instead of,together with,like,as,about,of,after,before,at,in").split(",")
SENTENCES = [s.strip() for line in LINES.strip().splitlines() for s in line.split("|")]
_TOKEN = re.compile(MARKED.pattern + r"|\{(\w+'?\w*)\}")


class _Sentence:
    """The slots of one sentence; person is that of the last subject."""

    def __init__(self, w, text):
        self.w, self.text, self.person, self.subject, self.cue, self.depth = w, text, "he", "he", "", 0
        self.dated = "{past}" in text or "yesterday" in text
        self.kept, self.first = {}, None
        pick = lambda choices: lambda: w.any(choices)
        self.plain = {
            "adj": w.adjective, "adv": w.adverb, "noun": w.noun, "nouns": lambda: words.plural(w.noun()), "doer": w.doer,
            "Name": w.name, "town": w.town, "stuff": w.uncounted, "year": lambda: str(w.rng.randint(1600, 2026)),
            "n": pick(lexicon.NUMBERS[1:12]), "n2": lambda: str(w.rng.randint(1, 30)), "num": self.number, "day": pick(lexicon.DAYS),
            "month": pick(lexicon.MONTHS), "bus": pick("bus,train,car,plane,ferry,bike,taxi".split(",")),
            "time": lambda: w.pick(f"{w.rng.randint(1, 23)}:{w.rng.randint(0, 59):02}", f"{w.rng.randint(1, 12)} pm", "noon", "midnight"),
            "price": lambda: w.pick(f"${self.number()}", f"{self.number()} dollars", f"{self.number()} dong"),
            "unit": pick("metres,kilometres,miles,steps".split(",")), "Title": lambda: " ".join(w.strange() for _ in range(w.pick(1, 2))),
            "er": lambda: self.graded(1), "est": lambda: self.graded(2),
            "adj2": self.consonant, "S2": self.pronoun, "owned": lambda: f"{w.pick('my', 'his', 'our', 'their')} {words.plural(w.noun())}",
            "see": lambda: self.verb()[0], "saw": lambda: self.verb()[2], "seeing": lambda: self.verb()[3],
            "feel": lambda: self.agreeing("feel"), "want": lambda: self.agreeing(w.any(vocabulary.TO)),
            "enjoy": lambda: self.agreeing(w.any(vocabulary.GERUND)), "that": lambda: vocabulary.FORMS[w.any(vocabulary.THAT)][2], "Quote": self.quote,
            "too": pick(_TOO), "once": lambda: w.any(_ONCE).replace("#", w.any(lexicon.NUMBERS[1:12])), "lately": pick(_LATELY),
            "self": pick("myself,himself,herself,themselves,itself,yourself,ourselves".split(","))}

    def consonant(self):
        return next(a for a in iter(self.w.adjective, None) if article(a) == "a")

    def number(self):
        rng = self.w.rng
        return rng.choice((str(rng.randint(2, 99)), str(rng.randint(100, 9999)), f"{rng.randint(1, 99)},{rng.randint(0, 999):03}",
                           f"{rng.randint(0, 20)}.{rng.randint(1, 9)}"))

    def graded(self, degree):
        w = self.w
        if w.chance(0.6):
            return w.any(w.pick(vocabulary.GRADED, lexicon.COMPARED))[degree]
        long = next(a for a in iter(w.adjective, None) if len(a) > 6 and a not in _SHORT)
        return (w.pick("more ", "more ", "less ") if degree == 1 else "most ") + long

    def pronoun(self):
        self.subject, self.person = self.w.pick(("you", "they"), ("he", "he"), ("she", "he"), ("they", "they"), ("we", "they"))
        return self.subject

    def verb(self):
        """The five forms of a verb that takes an object."""
        w = self.w
        return w.five(w.other("verb", sorted(lexicon.OBJECTS), vocabulary.DOING))

    def agreeing(self, verb):
        return vocabulary.FORMS[verb][1 if self.person == "he" else 0]

    def quote(self):
        line = self.w.pick("{S} {did}", "{T} {is} {adj}", "come {place}", "{S} must {do}", "{S} will {do}", "please {do}", "that is {anoun}")
        return written([_text(t) for t in _Sentence(self.w, "").pieces(line)], "")

    def pieces(self, text):
        texts, slots, at = [], [], 0
        for token in _TOKEN.finditer(text):
            literal = text[at:token.start()]
            if literal.strip():
                self.cue = literal.split()[-1].strip(',"')
            texts.append(literal)
            wrong, right, rule, slot = token.groups()
            if slot:
                slots.append(self.slot(slot))
            else:
                right = self.bound(right)
                slots.append([part(right, ("" if wrong == "~" else self.bound(wrong), rule, self.cue))])
            at = token.end()
        return _spaced(texts + [text[at:]], slots)

    def bound(self, text):
        """The text of a mark, whose slots are the same on both sides."""
        def fill(match):
            if match[1] not in self.kept:
                name = match[1].rstrip("0")
                self.kept[match[1]] = " ".join(_text(p) for p in self.slot(name))
            return self.kept[match[1]]
        return re.sub(r"\{(\w+)\}", fill, text)

    def slot(self, name):
        w = self.w
        if name in self.plain:
            return [self.plain[name]()]
        if name in ("past", "future", "habit"):
            return [w.when(name)]
        if name in ("do", "does", "did", "doing", "done"):
            return self.phrase(name)
        if name.endswith("1"):  # agrees with the first subject
            self.subject, self.person = self.first
        out = getattr(self, "slot_" + name.replace("'", "").rstrip("1"))()
        self.cue = _text(out[0])
        return out

    def slot_S(self):
        w = self.w
        if w.chance(0.6):
            subject, self.person = w.subject()
            while subject.text.startswith("many"):
                subject, self.person = w.subject()
            return self._named(subject.text, self.person)
        return w.pick(self.slot_T, self.slot_T, self.slot_Ts, self.slot_P)()

    def _named(self, text, person):
        self.subject, self.person = text, person
        self.first = self.first or (text, person)
        return [text]

    def slot_T(self):
        w = self.w
        noun = w.noun() if w.chance(0.6) else f"{w.adjective()} {w.noun()}"
        text = w.pick("the ", "the ", "this ", "that ", "my ", "your ", "his ", "our ", "their ") + noun
        return self._named(text + self.more(), "he")

    def slot_Ts(self):
        w = self.w
        noun = words.plural(w.noun()) if w.chance(0.6) else f"{w.adjective()} {words.plural(w.noun())}"
        return self._named(w.pick("the ", "the ", "these ", "those ", "my ", "our ", "all ", "most ", "some ", "") + noun, "they")

    def slot_P(self):
        w = self.w
        return self._named(w.pick(w.name, lambda: "the " + w.doer(), lambda: "my " + w.any(lexicon.FAMILY), lambda: "the " + w.doer(),
                                  lambda: f"{w.name()}'s {w.any(lexicon.FAMILY)}", lambda: w.pick("he", "she"))(), "he")

    def more(self):
        """What may follow a noun."""
        w = self.w
        if not w.chance(0.15) or self.depth > 1:
            return ""
        return w.pick(lambda: f" of the {w.noun()}", lambda: f" from {w.town()}", lambda: f" in the {w.site()}", lambda: f" with {w.singular().text}",
                      lambda: f" next to the {w.noun()}")()

    def slot_O(self):
        w = self.w
        kind = w.rng.random()
        if kind < 0.35:
            return [w.thing()]
        if kind < 0.5:
            return [w.pick("him", "her", "it", "them", "us", "me", "you", "himself", "everyone", "something", "each other")]
        if kind < 0.6:
            return [f"the {words.plural(w.noun())}{self.more()}"]
        if kind < 0.7:
            return [w.pick(w.name, w.town, w.strange)()]
        if kind < 0.8:
            return [f"{w.pick('the', 'some', 'her', 'his')} {w.uncounted()}"]
        return [f"{w.pick('the', 'the', 'this', 'my', 'their', 'another')} {w.adjective() + ' ' if w.chance(0.5) else ''}{w.noun()}{self.more()}"]

    def slot_anoun(self):
        return [self.w.singular()]

    def slot_place(self):
        w = self.w
        if w.chance(0.3):
            return [w.place()]
        return [f"{w.pick('in', 'near', 'behind', 'outside', 'inside', 'at', 'opposite', 'beside', 'around')} the {w.site()}"]

    def slot_across(self):
        return [self.w.any(_ACROSS)] + self.slot_O()

    def slot_seen(self):
        base, _, past, _, done = self.verb()
        return [part(done, (base, "after", self.cue), (past, "after", self.cue))]

    def slot_is(self):
        return [self._agree(BE)]

    def slot_was(self):
        return [self._agree(WAS)]

    def _agree(self, forms):
        right = forms[self.person]
        return part(right, *[(form, "agree", self.subject) for form in sorted(set(forms.values()) - {right})])

    def slot_has(self):
        return [part(*(("has", ("have", "agree", self.subject)) if self.person == "he" else ("have", ("has", "agree", self.subject))))]

    def slot_hasnt(self):
        return ["hasn't" if self.person == "he" else "haven't"]

    def slot_doesnt(self):
        right, other = ("doesn't", "don't") if self.person == "he" else ("don't", "doesn't")
        return [part(right, (other, "agree", self.subject))]

    def phrase(self, form):
        """A verb and what follows it."""
        w, cue = self.w, self.cue
        self.depth += 1
        kind = w.rng.random()
        if kind < 0.3:
            verb, rest = w.verb()
        elif kind < 0.7:
            verb, rest = None, self.slot_O()
        elif kind < 0.8:
            verb, *rest = w.any(vocabulary.JOINED)
            rest = [" ".join(rest)] + (self.slot_O() if w.chance(0.9) else [])
        elif kind < 0.84:
            verb = w.pick("give", "show", "send", "offer", "lend", "teach", "bring", "tell", "buy")
            rest = [w.pick("me", "him", "her", "them", "us", w.name(), "the " + w.doer()), *self.slot_O()]
        elif kind < 0.93 or self.depth > 1:
            verb, rest = w.any(vocabulary.BEING), [w.manner()] if w.chance(0.6) else []
        else:
            verb = w.any(vocabulary.TO)
            self.cue = "to"
            rest = ["to"] + self.phrase("do")
        if w.chance(0.15) and self.depth == 1:
            rest = rest + self.slot_place()
        self.depth -= 1
        base, third, past, going, done = self.verb() if verb is None else w.five(verb)
        if form == "does":
            right, other = (third, base) if self.person == "he" else (base, third)
            return [part(right, (other, "agree", self.subject)), *rest]
        right, wrongs = {
            "do": (base, [(third, "after", cue), (past, "after", cue)]),
            "did": (past, [(base, "past"), (third, "past")] if self.dated else []),
            "doing": (going, [(base, "after", cue)] if cue else []),
            "done": (done, [(base, "after", cue), (past, "after", cue)])}[form]
        return [part(right, *wrongs), *rest]


def _text(piece) -> str:
    return piece if isinstance(piece, str) else piece.text


def _with(piece, before: str, after: str):
    if isinstance(piece, str):
        return before + piece + after
    wrongs = tuple(dataclasses.replace(wrong, text=before + wrong.text + after) for wrong in piece.wrongs)
    return dataclasses.replace(piece, text=before + piece.text + after, wrongs=wrongs)


def _spaced(texts, slots):
    """The pieces in a row: signs of the texts that touch a slot, such as quotation marks, become a part of it."""
    out = []
    for at, text in enumerate(texts):
        if at:
            sign = re.match(r"\S*", text)[0]
            text, slots[at - 1][-1] = text[len(sign):], _with(slots[at - 1][-1], "", sign)
            out += slots[at - 1]
        if at < len(slots):
            sign = re.search(r"\S*$", text)[0]
            text, slots[at][0] = text[:len(text) - len(sign)], _with(slots[at][0], sign, "")
        out.append(text.strip())
    return out


def sentence(w):
    """Returns the parts of a sentence and its end."""
    text = w.any(SENTENCES)
    body, end = (text, "") if text.endswith('"') else (text[:-1], text[-1])
    return _Sentence(w, body).pieces(body), end
