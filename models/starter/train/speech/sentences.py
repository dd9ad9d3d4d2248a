"""Sentences of English from a small grammar, word lists read aloud, and the sentences of the evaluation.

Which sentences are held out depends only on a hash of their letters, so that no seed and no size of the data can bring
one of them into the training.
"""

import hashlib
import random
import re

from speech import everyday, words

SENTENCE, EVERYDAY, WORDS = "sentence", "everyday", "words"  # forms of a text
HELD_OUT_SHARE = 0.06
# The evaluation says single words in these; training has neither these nor the words "repeat" and "easier".
CARRIERS = ["please repeat {}", "the next word is {} again", "{} is easier to say"]


def is_held_out(text: str) -> bool:
    """Whether a sentence belongs to the evaluation."""
    return int.from_bytes(hashlib.sha256(letters(text).encode()).digest()[:4], "big") < HELD_OUT_SHARE * 2**32


def letters(text: str) -> str:
    """What is said of a text, as CTC vocabularies write it: capitals, apostrophes, spaces."""
    return " ".join(re.sub(r"[^A-Z']", " ", text.upper()).split())


class Writer:
    """Writes random sentences; rng decides about everything."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.all_words = sorted(words.trained())
        self.pair_words = sorted({w for pair in words.PAIRS for w in pair})
        self.singular = words.PEOPLE + words.ANIMALS + words.THINGS

    def text(self) -> tuple[str, str]:
        """Returns a text and its form: SENTENCE, EVERYDAY or WORDS, which teach sounds, where sentences can be guessed."""
        kind = self.rng.random()
        if kind < 0.64:
            return self.sentence(), SENTENCE
        if kind < 0.76:
            return everyday.text(self.rng), EVERYDAY
        return self.words(), WORDS

    def words(self) -> str:
        """Words that do not tell each other: in a row, or one among the words of a sentence."""
        kind = self.rng.random()
        if kind < 0.45:
            return self.row(self.all_words, self.rng.choice((1, 2, 3, 3, 4, 5)))
        if kind < 0.70:
            return self.row(self.pair_words, self.rng.choice((1, 2, 3, 4)))
        return self.swapped()

    def row(self, choices, count) -> str:
        row = " ".join(self.rng.choice(choices) for _ in range(count))
        return row[0].upper() + row[1:] + "."

    def swapped(self) -> str:
        """A sentence with one of its words changed for any other: the context must not tell what is said."""
        parts = self.sentence().split()
        at = self.rng.randrange(len(parts))
        end = parts[at][-1] if parts[at][-1] in ".?,!" else ""
        parts[at] = self.rng.choice(self.pair_words) + end
        return " ".join(parts)

    def sentence(self) -> str:
        body = self.rng.choice(FORMS)(self)
        return body[0].upper() + body[1:]

    def pick(self, *choices) -> str:
        return self.rng.choice(choices)

    def any(self, choices) -> str:
        return self.rng.choice(choices)

    def adjective(self, chance=0.35) -> str:
        return self.any(words.ADJECTIVES) + " " if self.rng.random() < chance else ""

    def article(self, phrase: str) -> str:
        if self.rng.random() < 0.5:
            return "the " + phrase
        return ("an " if phrase[0] in "aeiou" else "a ") + phrase

    def thing(self) -> str:
        """A noun phrase for a thing."""
        kind = self.rng.random()
        noun = self.any(words.THINGS + words.ANIMALS)
        if kind < 0.5:
            return self.article(self.adjective() + noun)
        if kind < 0.7:
            return self.pick("my", "your", "his", "her", "our", "their") + " " + self.adjective(0.25) + noun
        if kind < 0.85:
            return self.pick("some", "many", "two", "three", "four", "five", "six", "ten", "these", "those", "the") + " " + \
                self.adjective(0.25) + words.plural(noun)
        return self.pick("some", "the", "more", "any", "fresh") + " " + self.any(words.FOOD)

    def person(self) -> str:
        kind = self.rng.random()
        if kind < 0.3:
            return self.any(words.NAMES).capitalize()
        if kind < 0.6:
            return self.pick("my", "your", "his", "her", "our") + " " + self.any(words.PEOPLE)
        return "the " + self.adjective(0.3) + self.any(words.PEOPLE + words.ANIMALS)

    def place(self) -> str:
        return self.pick("in", "at", "near", "behind", "to", "from", "outside", "across from") + " the " + \
            self.adjective(0.15) + self.any(words.PLACES)

    def spot(self) -> str:
        return self.pick("on", "under", "behind", "beside", "in", "near", "below") + " the " + self.any(words.THINGS)

    def time(self) -> str:
        time = self.any(words.TIMES)
        if time in words.TIMES[9:16]:
            return "on " + time.capitalize()
        if time in words.TIMES[16:32]:
            return "in " + (time.capitalize() if time in words.TIMES[16:28] else time)
        return self.pick("every ", "this ", "that ", "last ", "next ", "one ") + time

    def ending(self) -> str:
        kind = self.rng.random()
        if kind < 0.35:
            return ""
        if kind < 0.6:
            return " " + self.place()
        if kind < 0.75:
            return " " + self.time()
        if kind < 0.85:
            return " " + self.any(words.ADVERBS)
        return " " + self.pick("today", "again", "now", "every day", "tomorrow", "yesterday", "together", "with " + self.person())


def verb(w, form):
    return w.any(words.VERBS)[form]


FORMS = [
    lambda w: f"{w.person()} {verb(w, 1)} {w.thing()}{w.ending()}.",
    lambda w: f"{w.person()} {verb(w, 2)} {w.thing()}{w.ending()}.",
    lambda w: f"{w.person()} {verb(w, 2)} {w.place()}.",
    lambda w: f"{w.pick('I', 'we', 'they', 'you')} {verb(w, 0)} {w.thing()}{w.ending()}.",
    lambda w: f"{w.pick('I', 'we', 'they', 'she', 'he')} {verb(w, 2)} {w.thing()}{w.ending()}.",
    lambda w: f"{w.pick('I am', 'she is', 'he is', 'we are', 'they are', 'you are')} {verb(w, 3)} {w.thing()}{w.ending()}.",
    lambda w: f"{w.person()} is {verb(w, 3)}{w.ending()}.",
    lambda w: f"{w.thing()} {w.pick('was', 'is', 'looks', 'seems')} {w.pick('very ', 'too ', 'so ', '', '')}{w.any(words.ADJECTIVES)}.",
    lambda w: f"there {w.pick('is', 'was')} {w.article(w.adjective() + w.any(words.THINGS))} {w.spot()}.",
    lambda w: f"{w.pick('where', 'who', 'how', 'when')} {w.pick('is', 'was')} {w.person()}?",
    lambda w: f"do you {verb(w, 0)} {w.thing()}{w.ending()}?",
    lambda w: f"did {w.person()} {verb(w, 0)} {w.thing()}?",
    lambda w: f"can {w.pick('you', 'I', 'we', 'she', 'he')} {verb(w, 0)} {w.thing()}{w.ending()}?",
    lambda w: f"please {verb(w, 0)} {w.thing()}{w.ending()}.",
    lambda w: f"{w.pick('I', 'we', 'they')} {w.any(words.CONTRACTIONS[:1] + ['cannot', 'could not', 'will not'])} {verb(w, 0)} {w.thing()}.",
    lambda w: f"{w.person()} {w.any(['will', 'can', 'must', 'should', 'could', 'would', 'might'])} {verb(w, 0)} {w.thing()}.",
    lambda w: f"{w.pick('I', 'you', 'we')} {w.pick('want', 'like', 'need', 'have', 'try')} to {verb(w, 0)} {w.thing()}.",
    lambda w: f"the {w.any(words.PLACES)} is {w.pick('near', 'behind', 'beside', 'far from')} the {w.any(words.PLACES)}.",
    lambda w: f"the {w.any(words.WEATHER)} {w.pick('was', 'is')} {w.any(words.ADJECTIVES)} {w.time()}.",
    lambda w: f"{w.pick('what', 'which')} {w.any(words.THINGS)} {w.pick('do you', 'did they', 'does he', 'should I')} {verb(w, 0)}?",
    lambda w: f"{w.any(words.CONTRACTIONS).replace('i', 'I', 1) if w.rng.random() < 0.1 else 'it is'} {w.any(words.NUMBERS)} "
              f"{w.pick('minutes', 'dollars', 'hours', 'days', 'years', 'miles')}.",
    lambda w: f"I {w.pick('think', 'know', 'hope', 'heard', 'said')} that {w.person()} {verb(w, 2)} {w.thing()}.",
    lambda w: f"if you {verb(w, 0)} {w.thing()}, {w.person()} will {verb(w, 0)}.",
    lambda w: f"{w.any(words.NUMBERS)} {w.any(words.NUMBERS)} {w.any(words.NUMBERS)}.",
]


def make(seed: int, count: int, held_out: bool, form: str = "") -> list[tuple[str, str]]:
    """Returns (text, form) in random order, all of the training or all held out, all of one form or as Writer.text mixes.

    No text comes twice, but for everyday ones of the training.
    """
    rng, seen, made = random.Random(seed), set(), []
    writer = Writer(rng)
    drawn = {"": writer.text, SENTENCE: lambda: (writer.sentence(), SENTENCE), WORDS: lambda: (writer.words(), WORDS)}[form]
    while len(made) < count:
        text, kind = drawn()
        again = letters(text) in seen and kind != EVERYDAY
        if is_held_out(text) == held_out and not again and len(text) < 75:
            made.append((text, kind))
            seen.add(letters(text))
    return made
