"""Pairs of a learner's text and its correction, and the JSON answers about them."""

import json
import random
import re

from chat import everyday, forms, lexicon, structures
from chat.parts import RULES, Pair, Part, written
from chat.phrases import Writer
from speech import words

WRONG_SHARE = 0.55
RULE_WEIGHTS = {"plural": 3, "singular": 2, "uncountable": 2, "order": 2.5, "a": 2, "no article": 1.5, "missing": 1.5}
KEPT_CAPITALS = set(lexicon.NAMES + lexicon.DAYS + lexicon.MONTHS + lexicon.LANGUAGES) | {
    t for town in lexicon.TOWNS for t in town.split()} | {"I", "I'm", "I'll", "I've", "TV", "I'd"}
_BASIC = [form for form, weight in forms.BASIC for _ in range(weight)]
KNOWN = words.trained() | set(lexicon.COUNTABLE) | set(lexicon.UNCOUNTABLE)
# Mistakes in spelling that are made often.
TYPICAL = dict(p.split("/") for p in ("friend/freind beautiful/beautifull tomorrow/tommorow because/becuase receive/recieve "
    "school/shcool interesting/intresting different/diffrent happy/hapy believe/belive favourite/favorit restaurant/resturant "
    "yesterday/yesteday wonderful/wonderfull really/realy always/alway sometimes/sometime usually/usualy their/thier which/wich "
    "people/poeple family/famili writing/writting studying/studing swimming/swiming beginning/begining before/befor "
    "Wednesday/Wensday February/Febuary dictionary/dictionnary necessary/neccessary library/libary answer/anwser "
    "language/langauge English/Englsh teacher/teatcher chicken/chiken breakfast/breakfirst delicious/delicous "
    "expensive/expencive important/importan difficult/dificult weather/wether money/monney mother/moter week/weak").split())


def writer(rng: random.Random) -> Writer:
    return Writer(rng)


def misspelt(w: Writer, word: str) -> str:
    """A likely misspelling of a word: two letters changed over, one doubled, left out, or taken for another."""
    if word in TYPICAL and w.chance(0.6):
        return TYPICAL[word]
    for _ in range(20):
        at, kind = w.rng.randrange(1, len(word)), w.rng.random()
        if kind < 0.3 and at + 1 < len(word):
            out = word[:at] + word[at + 1] + word[at] + word[at + 2:]
        elif kind < 0.5:
            out = word[:at] + word[at] + word[at:]
        elif kind < 0.75:
            out = word[:at] + word[at + 1:]
        else:
            near = {"a": "e", "e": "ai", "i": "ey", "o": "ua", "u": "oa", "y": "i", "s": "cz", "c": "sk", "k": "c", "f": "v", "t": "d",
                    "d": "t", "l": "n", "n": "m", "m": "n", "b": "p", "p": "b", "v": "f", "g": "j", "z": "s"}.get(word[at], word[at])
            out = word[:at] + w.any(near) + word[at + 1:]
        if out != word and out.lower() not in KNOWN and out.lower() not in w.others:
            return out
    return word + word[-1]


def _clause(w: Writer):
    """Returns the parts of a sentence and its end."""
    if w.unknown and w.chance(0.55):
        pieces, end = structures.sentence(w)
        if end == "." and w.chance(0.15):
            more, end = structures.sentence(w)
            pieces += w.pick([",", "and"], [",", "but"], [",", "so"], ["because"], ["when"], ["and"], [";"], ["if"]) + more
        return pieces, end
    if w.chance(0.3):
        return everyday.sentence(w)
    pieces = [p for p in w.any(_BASIC)(w)]
    if pieces[-1] == "?":
        return pieces[:-1], "?"
    if w.chance(0.14):
        more = [p for p in w.any(_BASIC)(w)]
        if more[-1] != "?" and "," not in more:
            joint = w.pick("and", "but", "because", "so", "when", "if", "and then", "while")
            return pieces + ([","] if joint in ("but", "so") and w.chance(0.5) else []) + [joint] + more, "."
    if w.chance(0.12):
        lead = w.pick("I think", "I think that", "I know that", "I hope", "he said that", "yes,", "no,", "well,", "sorry,", "today",
                      "of course,", "maybe", "in my opinion,", "sometimes", f"{w.name()} says that", "in the end,", "I am sure that")
        return [lead] + pieces, "."
    return pieces, w.rng.choices((".", "!"), (30, 1))[0]


def _texts(pieces) -> list[str]:
    return [p.text if isinstance(p, Part) else p for p in pieces]


def _choose(w: Writer, pieces):
    """Returns the pieces with one of the learners' mistakes in place of its part, and the mistake."""
    places = [(i, wrong) for i, p in enumerate(pieces) if isinstance(p, Part) for wrong in p.wrongs]
    if not places:
        return None
    rules = sorted({wrong.rule for _, wrong in places})
    rule = w.rng.choices(rules, [RULE_WEIGHTS.get(r, 1) for r in rules])[0]
    at, wrong = w.any([place for place in places if place[1].rule == rule])
    return [wrong.text if i == at else t for i, t in enumerate(_texts(pieces))], wrong


def _surface(w: Writer, text: str):
    """A mistake in the letters of a whole sentence: (text, rule)."""
    kind, tokens = w.rng.random(), text.split()
    if kind < 0.55:
        places = [i for i, t in enumerate(tokens) if re.fullmatch(r"[a-z]{4,}[.,?!]?", t) or t.rstrip(".,?!") in TYPICAL]
        if w.unknown:  # nobody can mend a word that is unknown
            places = [i for i in places if tokens[i].rstrip(".,?!") in KNOWN or tokens[i].rstrip(".,?!") in TYPICAL]
        if places:
            at = w.any(places)
            word = tokens[at].rstrip(".,?!")
            tokens[at] = misspelt(w, word) + tokens[at][len(word):]
            return " ".join(tokens), "spelling"
    if kind < 0.85:
        places = [i for i, t in enumerate(tokens) if i == 0 or re.sub(r"('s)?[.,?!]*$", "", t) in KEPT_CAPITALS and t[:2] != "TV"]
        at = w.any(places)
        tokens[at] = tokens[at][0].lower() + tokens[at][1:]
        return " ".join(tokens), "capital"
    at = w.rng.randrange(len(tokens))
    word = tokens[at].rstrip(".,?!")
    return " ".join(tokens[:at] + [word.lower() if word not in KEPT_CAPITALS and at else word] + tokens[at:]), "extra"


def sentence(w: Writer, wrong: bool | None = None) -> Pair:
    """A sentence with one mistake or with none; None leaves that to the dice."""
    wrong = w.chance(WRONG_SHARE) if wrong is None else wrong
    w.open()
    while True:
        pieces, end = _clause(w)
        if w.chance(0.08):
            end = ""
        corrected = written(_texts(pieces), end)
        if not wrong:
            if w.chance(0.07):
                corrected = _strange(w, corrected)
            return Pair(corrected, corrected)
        if w.chance(0.2):
            original, rule = _surface(w, corrected)
            cue = ""
        else:
            chosen = _choose(w, pieces)
            if chosen is None:
                continue
            original, rule, cue = written(chosen[0], end), chosen[1].rule, chosen[1].cue
        if original != corrected:
            return Pair(original, corrected, rule, cue)


def _strange(w: Writer, text: str) -> str:
    """Puts words that no list has into a sentence that is right, so that it is copied as it is."""
    kind = w.rng.random()
    if kind < 0.4:
        return w.pick('He said "{}".', 'I read a book called "{}".', 'The title is "{}".', 'My teacher wrote "{}" on the board.').format(
            " ".join(w.strange() for _ in range(w.pick(1, 2, 3))))
    if kind < 0.7:
        return w.pick("I met {} and {} in {}.", "{} lives with {} in {}.", "{}, {} and {} are my friends.", "From {} to {} by {}.").format(
            w.strange(), w.strange(), w.strange())
    return text[:-1] + w.pick(" with ", " and ", ", ") + w.strange() + text[-1:]


def pair(w: Writer) -> Pair:
    """A pair for training: never one that is held out."""
    while True:
        pair = sentence(w)
        if not _held_out(pair):
            return pair


def _held_out(pair: Pair) -> bool:
    from chat.heldout import is_held_out

    return is_held_out(pair.corrected) or is_held_out(pair.original)


def _note(one: Pair, vietnamese: bool) -> dict:
    wrong, right = one.difference()
    return {"wrong": wrong, "right": right, "type": RULES[one.rule][0], "explanation": one.why(vietnamese)}


def _noted(corrected: str, notes: list[dict]) -> str:
    return json.dumps({"corrected": corrected, "notes": notes}, ensure_ascii=False, separators=(",", ":"))


def noted_answer(pairs: list[Pair], vietnamese: bool) -> tuple[str, str]:
    """Returns (text, answer) for one or more pairs joined, in the shape that the server's grammar allows."""
    notes = [_note(one, vietnamese) for one in pairs if one.rule]
    return " ".join(p.original for p in pairs), _noted(" ".join(p.corrected for p in pairs), notes)


def two_mistakes(w: Writer, vietnamese: bool) -> tuple[str, str]:
    """Returns (text, answer) for a sentence with two mistakes; the prompt's own example now and then."""
    if w.chance(0.02):
        subject, person = w.pick("She", "He", "Mai", "My sister"), w.pick("has", "has", "wants", "needs")
        base, noun = {"has": "have", "wants": "want", "needs": "need"}[person], w.pick("book", "pen", "cat", "dog", "friend")
        right, one, two = (f"{subject} {v} two {n}." for v, n in ((person, noun + "s"), (base, noun + "s"), (person, noun)))
        if not _held_out(Pair(right, right)):
            notes = [_note(Pair(one, right, "agree", subject.lower() if subject in ("She", "He") else subject), vietnamese),
                     _note(Pair(two, right, "plural", "two"), vietnamese)]
            return f"{subject} {base} two {noun}.", _noted(right, notes)
    while True:
        pieces, end = _clause(w)
        places = [i for i, p in enumerate(pieces) if isinstance(p, Part) and p.wrongs]
        if len(places) < 2:
            continue
        texts, right, pairs = _texts(pieces), written(_texts(pieces), end), []
        both = list(texts)
        for at in sorted(w.rng.sample(places, 2)):
            wrong = w.any(pieces[at].wrongs)
            both[at] = wrong.text
            pairs.append(Pair(written(texts[:at] + [wrong.text] + texts[at + 1:], end), right, wrong.rule, wrong.cue))
        if not any(_held_out(one) or one.original == right for one in pairs):
            return written(both, end), _noted(right, [_note(one, vietnamese) for one in pairs])


def without_notes(answer: str) -> str | None:
    """An answer up to where its first note begins; None where it has none."""
    begin = '"notes":[{"'
    return answer[:answer.index(begin) + len(begin)] if begin in answer else None


def json_answer(rng: random.Random, pair: Pair) -> tuple[list[str], str]:
    """Returns (names of the keys, JSON text) in one of a few shapes other than the server's."""
    shape = rng.choice([{"corrected": pair.corrected}, {"corrected_text": pair.corrected},
                        {"is_correct": not pair.rule, "corrected": pair.corrected}, {"answer": pair.corrected}])
    return list(shape), json.dumps(shape, ensure_ascii=False)
