"""Pairs of a learner's sentence and its correction, and the JSON answers about them."""

import json
import random

from . import words

SINGULAR = ["He", "She", "My friend", "My brother", "My sister", "My mother", "The teacher", "Lan", "Tom"]
PLURAL = ["I", "We", "They", "My friends", "The children", "You"]


def _agreement(rng):
    subject, verb = rng.choice(SINGULAR), rng.choice(words.VERBS)
    tail = f"{verb[4]} {rng.choice(words.TIMES)}."
    return (f"{subject} {verb[0]} {tail}", f"{subject} {verb[1]} {tail}",
            "agreement", f'Use "{verb[1]}" with "{subject}".')


def _tense(rng):
    subject, verb = rng.choice(SINGULAR + PLURAL), rng.choice([v for v in words.VERBS if v[0] != v[2]])
    tail = f"{verb[4]} {rng.choice(words.PAST_TIMES)}."
    return (f"{subject} {verb[0]} {tail}", f"{subject} {verb[2]} {tail}",
            "tense", f'The past of "{verb[0]}" is "{verb[2]}".')


def _article(rng):
    noun = rng.choice(["apple", "egg", "orange", "old car", "umbrella", "elephant"])
    subject, verb = rng.choice([("I", "have"), ("She", "has"), ("We", "see"), ("He", "wants"), ("They", "need")])
    return (f"{subject} {verb} a {noun}.", f"{subject} {verb} an {noun}.",
            "article", f'Use "an" before "{noun}".')


def _plural(rng):
    noun, many = rng.choice([("book", "books"), ("cat", "cats"), ("child", "children"), ("friend", "friends"),
                             ("box", "boxes"), ("city", "cities"), ("dog", "dogs"), ("pen", "pens")])
    count = rng.choice(words.NUMBERS[1:10] + ["many", "some"])
    subject, verb = rng.choice([("I", "have"), ("She", "has"), ("We", "see"), ("He", "wants"), ("They", "need")])
    return (f"{subject} {verb} {count} {noun}.", f"{subject} {verb} {count} {many}.",
            "plural", f'After "{count}" use "{many}".')


def _preposition(rng):
    wrong, right = rng.choice([("in Monday", "on Monday"), ("in night", "at night"), ("at the morning", "in the morning"),
                               ("on seven o'clock", "at seven o'clock"), ("in Sunday", "on Sunday")])
    subject, verb = rng.choice(PLURAL), rng.choice(words.VERBS)
    head = f"{subject} {verb[0]} {verb[4]}"
    return f"{head} {wrong}.", f"{head} {right}.", "preposition", f'We say "{right}".'


def _be(rng):
    subject, be = rng.choice([("I", "am"), ("He", "is"), ("She", "is"), ("They", "are"), ("We", "are"), ("Lan", "is")])
    adjective = rng.choice(words.ADJECTIVES)
    return (f"{subject} {adjective}.", f"{subject} {be} {adjective}.", "verb", f'Add "{be}" after "{subject}".')


def _spelling(rng):
    wrong, right = rng.choice([("beautifull", "beautiful"), ("freind", "friend"), ("tommorow", "tomorrow"),
                               ("becuase", "because"), ("recieve", "receive"), ("scool", "school"),
                               ("intresting", "interesting"), ("hapy", "happy"), ("diffrent", "different")])
    before, after = rng.choice([("I think the word is ", "."), ("They say it is ", "."), ("She writes ", " here."),
                                ("We see ", " in the book.")])
    return f"{before}{wrong}{after}", f"{before}{right}{after}", "spelling", f'The correct spelling is "{right}".'


def _correct(rng):
    sentence = rng.choice([_agreement, _tense, _article, _plural, _preposition, _be, _spelling])(rng)[1]
    return sentence, sentence, "none", "The sentence is correct."


def pair(rng: random.Random):
    """Returns (original, corrected, kind, explanation); about one in five is already correct."""
    kinds = [_agreement, _agreement, _tense, _tense, _article, _plural, _preposition, _be, _spelling, _correct, _correct]
    return rng.choice(kinds)(rng)


# kind: the API's error type, what is wrong in Vietnamese
KINDS = {
    "agreement": ("AGREEMENT", "Động từ phải hòa hợp với chủ ngữ"),
    "tense": ("VERB_TENSE", "Đây là thì quá khứ"),
    "article": ("ARTICLE", "Cần đúng mạo từ"),
    "plural": ("NOUN_NUMBER", "Danh từ ở số nhiều"),
    "preposition": ("PREPOSITION", "Cần đúng giới từ"),
    "verb": ("MISSING_WORD", 'Thiếu động từ "to be"'),
    "spelling": ("SPELLING", "Sai chính tả"),
}


def _difference(original, corrected):
    """Returns the words of each that the other does not share at its beginning or end."""
    wrong, right = original.rstrip(".").split(), corrected.rstrip(".").split()
    while wrong and right and wrong[0] == right[0]:
        del wrong[0], right[0]
    while wrong and right and wrong[-1] == right[-1]:
        del wrong[-1], right[-1]
    return " ".join(wrong), " ".join(right)


def noted_answer(pairs, vietnamese: bool) -> tuple[str, str]:
    """Returns (text, answer) for one or more pairs joined, in the shape that the server's grammar allows."""
    notes = []
    for original, corrected, kind, why in pairs:
        if kind == "none":
            continue
        wrong, right = _difference(original, corrected)
        explanation = f'{KINDS[kind][1]}: "{right}".' if vietnamese else why
        notes.append({"wrong": wrong, "right": right, "type": KINDS[kind][0], "explanation": explanation})
    answer = {"corrected": " ".join(p[1] for p in pairs), "notes": notes}
    return " ".join(p[0] for p in pairs), json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def json_answer(rng: random.Random, corrected: str, correct: bool) -> tuple[list[str], str]:
    """Returns (names of the keys, JSON text) in one of a few shapes other than the server's."""
    shape = rng.choice([{"corrected": corrected}, {"corrected": corrected}, {"corrected_text": corrected},
                        {"is_correct": correct, "corrected": corrected}, {"answer": corrected}])
    return list(shape), json.dumps(shape, ensure_ascii=False)
