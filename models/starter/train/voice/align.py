"""Aligns the phones of a synthesizer with espeak-ng symbols, by edit distance with phonetic costs."""

import dataclasses

import numpy as np

from voice import symbols as table

PAUSE = "pau"
# Symbols that make one sound, and the shares of its time.
JOINED = {"tʃ": 0.5, "dʒ": 0.5, "eɪ": 0.55, "aɪ": 0.6, "ɔɪ": 0.55, "oʊ": 0.55, "aʊ": 0.6}
MARKS = table.STRESS + "ʲ"  # make no sound of their own
CARRY = {"ː": 0.4, "\u0329": 0.5}  # marks behind a symbol, and their share of its time
# A sound of espeak-ng's en-us, and the phones of CMU's phone set that it is heard as.
SAME = {
    **{c: {c} for c in "pbtdkfvszmnlw"}, "ɡ": {"g"}, "θ": {"th"}, "ð": {"dh"}, "ʃ": {"sh"}, "ʒ": {"zh"}, "h": {"hh"},
    "ŋ": {"ng"}, "ɹ": {"r"}, "r": {"r"}, "j": {"y"}, "tʃ": {"ch"}, "dʒ": {"jh"}, "ɾ": {"t", "d"}, "ʔ": {"t"},
    "i": {"iy"}, "iː": {"iy"}, "ɪ": {"ih"}, "ᵻ": {"ih", "ax"}, "ɛ": {"eh"}, "æ": {"ae"}, "a": {"ae", "aa"}, "ɑː": {"aa"},
    "ɑ": {"aa"}, "ɔː": {"ao", "aa"}, "ɔ": {"ao", "aa"}, "oː": {"ao", "ow"}, "ʊ": {"uh"}, "uː": {"uw"}, "u": {"uw"},
    "ʌ": {"ah"}, "ɐ": {"ax", "ah"}, "ə": {"ax", "ah"}, "ɜː": {"er"}, "ɚ": {"er"}, "eɪ": {"ey"}, "aɪ": {"ay"},
    "ɔɪ": {"oy"}, "oʊ": {"ow"}, "aʊ": {"aw"},
}
VOWELS = {"iy", "ih", "eh", "ae", "aa", "ao", "uh", "uw", "ah", "ax", "er", "ey", "ay", "oy", "ow", "aw"}
REDUCED = {"ax", "ih", "ah", "uh", "er"}
ALIKE = [{"s", "z"}, {"t", "d"}, {"sh", "zh"}, {"th", "dh"}, {"f", "v"}, {"n", "ng"}, {"hh", "w"}]
OTHER, SKIP = 2.0, 1.0  # the costs of two sounds that have nothing in common, and of one that has no partner


@dataclasses.dataclass
class Unit:
    """One sound, or a gap that a pause may fill: symbols [start, end) of the sentence."""

    sound: str
    start: int
    end: int
    gap: bool = False

    def shares(self, symbols) -> np.ndarray:
        """How its time is divided among its symbols."""
        size = self.end - self.start
        share, base = np.zeros(size), "".join(symbols[self.start:self.start + 2])
        if base in JOINED:
            share[:2] = JOINED[base], 1 - JOINED[base]
        else:
            share[0] = 1
        if symbols[self.end - 1] in CARRY and size > 1:
            last = CARRY[symbols[self.end - 1]]
            share *= 1 - last
            share[-1] += last
        return share


def units(symbols: list[str]) -> list[Unit]:
    """Groups a sentence's symbols, the pauses at its ends (-1 and len) included. Stress marks and the like belong to none."""
    found, i = [Unit("", -1, 0, True)], 0
    while i < len(symbols):
        if symbols[i] in table.PAUSES:
            found.append(Unit(symbols[i], i, i + 1, True))
        elif symbols[i] not in MARKS:
            end = i + (2 if "".join(symbols[i:i + 2]) in JOINED else 1)
            while end < len(symbols) and symbols[end] in CARRY:
                end += 1
            found.append(Unit("".join(symbols[i:end]), i, end))
            i = end - 1
        i += 1
    return [*found, Unit("", len(symbols), len(symbols) + 1, True)]


def cost(unit: Unit, phone: str) -> float:
    if unit.gap or phone == PAUSE:
        return (0.3 if unit.sound == " " else 0.0) if unit.gap and phone == PAUSE else 9.0
    same = SAME.get(unit.sound, set())
    if phone in same:
        return 0.0
    if phone in VOWELS and same & VOWELS:
        return 0.2 if phone in REDUCED and same & REDUCED else 0.6
    return 0.5 if any(phone in pair and same & pair for pair in ALIKE) else OTHER


def align(sentence: list[str], phones: list[str]):
    """Returns the cost, and for each phone the units [from, to) that it is; a phone may continue the unit before it."""
    row = units(sentence)
    best = np.full((len(row) + 1, len(phones) + 1), np.inf)
    back = np.zeros((*best.shape, 2), int)
    best[0, 0] = 0

    def step(i, j, di, dj, price):
        if best[i, j] + price < best[i + di, j + dj]:
            best[i + di, j + dj] = best[i, j] + price
            back[i + di, j + dj] = di, dj

    for i in range(len(row) + 1):
        for j in range(len(phones) + 1):
            if not np.isfinite(best[i, j]):
                continue
            if i < len(row) and j < len(phones):
                step(i, j, 1, 1, cost(row[i], phones[j]))
                if row[i].sound.endswith("\u0329") and phones[j] == "ax" and phones[j + 1:j + 2] == [row[i].sound[0]]:
                    step(i, j, 1, 2, 0.1)  # a syllabic consonant
                if phones[j] == "er" and i + 1 < len(row) and row[i + 1].sound == "ɹ" and SAME.get(row[i].sound, set()) & VOWELS:
                    step(i, j, 2, 1, 0.1)
            if i < len(row):
                step(i, j, 1, 0, (0.2 if row[i].sound in ",;:" and row[i].sound else 0.0) if row[i].gap else SKIP)
            if 0 < j < len(phones) and i > 0:
                step(i, j, 0, 1, SKIP)
    i, j, owners = len(row), len(phones), [None] * len(phones)
    while i or j:
        di, dj = back[i, j]
        if not di and not dj:
            return np.inf, row, owners
        for k in range(j - dj, j):
            owners[k] = (i - di, i) if di else (i - 1, i)
        i, j = i - di, j - dj
    return best[-1, -1], row, owners


def seconds(sentence: list[str], phones: list[tuple[str, float]]):
    """Returns (cost for each sound, seconds of each symbol with the pauses at its ends first and last).

    phones are names and lengths in seconds.
    """
    price, row, owners = align(sentence, [name for name, _ in phones])
    times = np.zeros(len(sentence) + 2)
    if not np.isfinite(price):
        return np.inf, times
    for (_, length), (first, last) in zip(phones, owners):
        for unit in row[first:last]:
            times[unit.start + 1:unit.end + 1] += length / (last - first) * unit.shares(sentence) if not unit.gap else length
    return price / max(1, sum(not u.gap for u in row)), times
