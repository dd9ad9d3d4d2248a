"""Error rates, areas under ROC curves, and their 95 % intervals."""

import re

import numpy as np

ROUNDS = 2000  # number of bootstrap resamplings
OMISSION, INSERTION = 3, 4  # of the API's PronunciationErrorType
LOOP = 4  # repetitions in a row that count as a loop


def normalise(text: str) -> str:
    """Returns a text in lower case, with only letters, digits, apostrophes and single spaces."""
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    words = (word.strip("'") for word in re.sub(r"[^a-z0-9']", " ", text).split())
    return " ".join(word for word in words if word)


def distance(left, right) -> int:
    """Returns the edit distance: the smallest number of insertions, deletions and substitutions (Levenshtein, 1966)."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Returns (wrong words, words said) after normalization. There can be more wrong words than words said."""
    reference = normalise(said).split()
    return distance(reference, normalise(heard).split()), len(reference)


def rate(counts: list[tuple[int, int]]) -> float:
    """Returns the rate over all (wrong, all) counts; long sentences have more weight."""
    wrong, every = np.sum(counts, 0)
    return float(wrong / every)


def rate_interval(counts: list[tuple[int, int]], seed: int = 1) -> tuple[float, float]:
    """Returns the 95 % interval of a rate, by bootstrap over sentences (Efron, 1979; percentiles)."""
    table = np.array(counts, float)
    chosen = np.random.default_rng(seed).integers(len(table), size=(ROUNDS, len(table)))
    sums = table[chosen].sum(1)
    return percentiles(sums[:, 0] / sums[:, 1])


def difference_interval(counts: list[tuple[int, int]], others: list[tuple[int, int]], seed: int = 1) -> tuple[float, float]:
    """Returns the interval of rate(counts) - rate(others) for the same sentences in the same order."""
    table, other = np.array(counts, float), np.array(others, float)
    chosen = np.random.default_rng(seed).integers(len(table), size=(ROUNDS, len(table)))
    left, right = table[chosen].sum(1), other[chosen].sum(1)
    return percentiles(left[:, 0] / left[:, 1] - right[:, 0] / right[:, 1])


def percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """Returns the 95 % interval of the share hits/count (Wilson, 1927)."""
    z = 1.959964
    middle = hits + z * z / 2
    half = z * (hits * (count - hits) / count + z * z / 4) ** 0.5
    return max(0.0, (middle - half) / (count + z * z)), min(1.0, (middle + half) / (count + z * z))


def area(right, wrong) -> float:
    """Returns the area under the ROC curve: the probability that a right one is above a wrong one; ties count half."""
    difference = np.subtract.outer(np.asarray(right, float), np.asarray(wrong, float))
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def area_interval(right, wrong, seed: int = 1) -> tuple[float, float]:
    """Returns the interval of an area, by bootstrap over comparisons; right[i] and wrong[i] belong to the same audio."""
    right, wrong = np.asarray(right, float), np.asarray(wrong, float)
    difference = np.subtract.outer(right, wrong)
    wins = (difference > 0) + 0.5 * (difference == 0)
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(right), size=(ROUNDS, len(right)))
    return percentiles(np.array([wins[np.ix_(rows, rows)].mean() for rows in chosen]))


def correlation(pairs) -> float:
    """Returns Pearson's correlation of pairs of numbers."""
    return float(np.corrcoef(np.asarray(pairs, float).T)[0, 1])


def correlation_interval(pairs, seed: int = 1) -> tuple[float, float]:
    """Returns the interval of a correlation, by bootstrap over the pairs."""
    pairs = np.asarray(pairs, float)
    rng = np.random.default_rng(seed)
    return percentiles(np.array([correlation(pairs[rng.integers(len(pairs), size=len(pairs))]) for _ in range(ROUNDS)]))


def loops(text: str) -> bool:
    """Reports whether a sequence of one to six words occurs LOOP times in a row."""
    words = normalise(text).split()
    return any(words[at:at + size] * LOOP == words[at:at + size * LOOP]
               for size in range(1, 7) for at in range(len(words) - size * LOOP + 1))


def trip_problem(text: str, heard: str, judged: list[tuple[str, int]]) -> str:
    """Returns the problem of a round trip: text, transcript, and scored (word, error type); empty if there is none."""
    if normalise(heard) != normalise(text):
        return f"{text!r} came back as {heard!r}"
    words = [normalise(word) for word, error in judged if error != INSERTION]
    if words != normalise(text).split():
        return f"of {text!r}, these words were judged: {words}"
    lost = [word for word, error in judged if error == OMISSION]
    return f"reported as left out: {', '.join(lost)}" if lost else ""
