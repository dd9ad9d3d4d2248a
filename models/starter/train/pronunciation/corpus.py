"""Readings with their phonemes and ratings: speechocean762's, and the synthetic speech of make_speech.py."""

import collections
import dataclasses
import json
import pathlib
import re
import wave

import numpy as np

PHONEMES = ("AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH").split()
SYMBOLS = ["<pad>", *PHONEMES]  # <pad> is the CTC blank
NUMBERS = {phoneme: i for i, phoneme in enumerate(SYMBOLS)}
TWO = {"AR", "IR", "UR", "TS", "TR", "DR", "DZ"}  # symbols of the experts that are two of CMU's
CALIBRATION = 6  # every sixth speaker of the training part is for the calibration
DIVISOR = 10  # of the experts' scores


@dataclasses.dataclass
class Word:
    """A word that was read, with its score and those of its phonemes, 0 to 1; None if it has none."""

    text: str
    phonemes: list[str]
    score: float | None = None
    units: list[float] | None = None


@dataclasses.dataclass
class Reading:
    """What one speaker read, as the experts rate it."""

    name: str
    words: list[Word]
    speaker: str = ""
    path: pathlib.Path | None = None
    accuracy: float = 1.0  # 0 to 1, like the others
    fluency: float | None = None
    total: float | None = None

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def labels(self) -> list[int]:
        return [NUMBERS[p] for word in self.words for p in word.phonemes]


def samples(path: pathlib.Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32)


def plain(phoneme: str) -> str:
    """A phoneme without its stress and its place in the word."""
    return phoneme.split("_")[0].rstrip("012")


def unit_scores(said: str) -> list[float]:
    """The scores of the phonemes in an expert's transcript: 0 in parentheses, 1 in braces, else 2; [ ] are insertions."""
    scores, score, inserted = [], 2, False
    for token in re.sub(r"([(){}\[\]])", r" \1 ", said).split():
        if token in "[]":
            inserted = token == "["
        elif token in "(){}":
            score = {"(": 0, "{": 1}.get(token, 2)
        elif not inserted:
            scores += [score] * (2 if token.rstrip("012") in TWO else 1)
    return scores


def word(entry: dict, phonemes: list[str]) -> Word:
    """A word from the means of the five experts."""
    agreed = [scores for scores in map(unit_scores, entry["phones"]) if len(scores) == len(phonemes)]
    units = (np.mean(agreed, 0) / 2).tolist() if len(agreed) >= 3 else None
    return Word(entry["text"], phonemes, float(np.mean(entry["total"])) / DIVISOR, units)


def speechocean(folder: pathlib.Path, part: str, scores: pathlib.Path) -> list[Reading]:
    """The readings of a part. scores has the experts' scores of the part, a line for each reading: name, tab, JSON."""
    table = lambda name: dict(line.split(maxsplit=1) for line in (folder / part / name).read_text().splitlines())
    speakers, paths, phonemes = table("utt2spk"), table("wav.scp"), collections.defaultdict(dict)
    for line in (folder / "resource" / "text-phone").read_text().splitlines():
        place, said = line.split(maxsplit=1)
        name, number = place.split(".")
        phonemes[name][int(number)] = [plain(p) for p in said.split()]
    readings = []
    for line in scores.read_text().splitlines():
        name, entry = line.split("\t", 1)
        entry = json.loads(entry)
        mean = lambda what: float(np.mean(entry[what])) / DIVISOR
        words = [word(w, phonemes[name][i]) for i, w in enumerate(entry["words"])]
        readings.append(Reading(name, words, speakers[name], folder / paths[name], mean("accuracy"), mean("fluency"), mean("total")))
    return sorted(readings, key=lambda r: r.name)


def divided(readings: list[Reading]) -> tuple[list[Reading], list[Reading]]:
    """The readings for the training of the head, and those of every sixth speaker for the calibration."""
    speakers = set(sorted({r.speaker for r in readings})[::CALIBRATION])
    return [r for r in readings if r.speaker not in speakers], [r for r in readings if r.speaker in speakers]


def synthetic(name: str, text: str, dictionary: dict[str, list[list[str]]]) -> Reading | None:
    """A synthesizer's reading, of which every sound is right; None if the dictionary lacks a word."""
    words = re.findall(r"[a-z']+", text.lower())
    if any(w not in dictionary for w in words):
        return None
    return Reading(name, [Word(w, [plain(p) for p in dictionary[w][0]], 1.0, [1.0] * len(dictionary[w][0])) for w in words])


class Neighbours:
    """Finds words that differ in one phoneme."""

    def __init__(self, dictionary: dict[str, list[list[str]]]):
        self.words, self.known = {}, {}
        for w, ways in dictionary.items():
            self.known[w] = {tuple(map(plain, way)) for way in ways}
            if w.isalpha():
                for way in self.known[w]:
                    self.words.setdefault(way, w)

    def change(self, reading: Reading, rng: np.random.Generator) -> tuple[str, tuple[int, int] | None]:
        """The text with one well-said word replaced, and the places of that word and of the phoneme in it; an empty text if
        there is none."""
        texts = [w.text for w in reading.words]
        for place in rng.permutation(len(texts)):
            w = reading.words[place]
            if w.score < 0.9 or len(w.phonemes) < 2:
                continue
            for at in rng.permutation(len(w.phonemes)):
                for other in rng.permutation(PHONEMES):
                    found = self.words.get((*w.phonemes[:at], str(other), *w.phonemes[at + 1:]))
                    if found and not self.known[found] & self.known.get(w.text, {tuple(w.phonemes)}):
                        return " ".join([*texts[:place], found, *texts[place + 1:]]), (int(place), int(at))
        return "", None
