"""Training texts of the voice: the other models' sentences, dictionary words, numbers, letters, long sentences."""

import pathlib
import random
import re

from speech import sentences, words
from voice import align, phonemes

LEXICON = pathlib.Path("/usr/share/festival/dicts/cmu/cmudict-0.4.out")
ENTRY = re.compile(r'^\("([a-z]{2,12})" \S+ (.*)\)$')
CARRIERS = [
    "{}", "{}", "{}, {} and {}", "The word is {}", "I said {}, not {}", "Is it {} or {}", "A {} {}", "The {} of {}", "He read {} and {}",
    "They call it {}", "My {} is {}", "{}, please", "Mr. {} met {}", "It was {}, {}, {}", "Some {} with {}",
]
JOINTS = [", and ", ", but ", ", so ", "; ", ": ", ", because ", " and ", " when ", ", or ", ", which means that "]


def dictionary(rng: random.Random, tries: int) -> list[str]:
    """Words of CMU's dictionary that espeak-ng pronounces alike."""
    entries = [m.groups() for m in map(ENTRY.match, LEXICON.read_text().splitlines()) if m]
    found = set()
    for word, sounds in rng.sample(entries, tries):
        spoken = phonemes.sentences(word)
        if len(spoken) == 1:
            phones = re.findall(r"[a-z]+", sounds)
            if align.align(spoken[0], phones)[0] <= 0.05 * len(phones):
                found.add(word)
    return sorted(found)


def number(rng: random.Random) -> str:
    return rng.choice([
        lambda: f"{rng.randrange(100)}", lambda: f"{rng.randrange(10000):,}", lambda: f"{rng.randrange(1, 13)}:{rng.randrange(10, 60)}",
        lambda: f"{rng.randrange(1950, 2030)}", lambda: f"${rng.randrange(1, 100)}", lambda: f"{rng.randrange(1, 100)}%",
        lambda: " ".join(rng.choice("0123456789") for _ in range(4)), lambda: f"{rng.randrange(20)}.{rng.randrange(10)}",
    ])()


class Writer:
    """Writes random texts; rng decides about everything."""

    def __init__(self, rng: random.Random, tries: int = 12000):
        self.rng, self.dictionary = rng, dictionary(rng, tries)
        self.trained = sorted(words.trained())
        self.simple = [t for t, _ in sentences.make(rng.randrange(2**31), 6000, False)]

    def text(self) -> str:
        """A text of any kind, with any end."""
        kind = self.rng.random()
        if kind < 0.38:
            text = self.rng.choice(self.simple)
        elif kind < 0.68:
            text = self.filled(self.dictionary)
        elif kind < 0.76:
            text = self.filled([number(self.rng) for _ in range(9)])
        elif kind < 0.80:
            letters = [self.rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(self.rng.randint(1, 5))]
            text = self.rng.choice(["{}", "It is spelled {}", "Room {}"]).format(" ".join(letters))
        elif kind < 0.84:
            text = self.rng.choice(self.trained)
        else:
            parts = [self.rng.choice(self.simple).rstrip(".?!") for _ in range(self.rng.choice((2, 2, 2, 3)))]
            text = parts[0] + "".join(self.rng.choice(JOINTS) + self.inner(p) for p in parts[1:])
        text = text[0].upper() + text[1:]
        if text[-1].isalnum() or self.rng.random() < 0.15:
            text = text.rstrip(".?!") + self.rng.choice([".", ".", ".", "?", "!", ""])
        return text

    def filled(self, choices: list[str]) -> str:
        carrier = self.rng.choice(CARRIERS)
        if carrier == "{}":
            carrier = " ".join(["{}"] * self.rng.choice((1, 2, 3, 3, 4)))
        return carrier.format(*self.rng.sample(choices, carrier.count("{}")))

    @staticmethod
    def inner(part: str) -> str:
        """A sentence inside another: without its capital, but for names and I."""
        first = part.split()[0]
        return part if first in ("I", "I'm", "I'll") or first.lower() in words.NAMES else part[0].lower() + part[1:]
