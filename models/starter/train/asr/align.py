"""Aligns the words of a clip with its audio, using the letters of the CTC head (Viterbi; Graves et al., 2006)."""

import numpy as np

from asr.network import SYMBOLS

NUMBERS = {symbol: i for i, symbol in enumerate(SYMBOLS)}


def label(said: str) -> list[int]:
    """The symbols of a text in speech.sentences.letters' form."""
    return [NUMBERS[c] for c in said]


def path(scores: np.ndarray, symbols: list[int]) -> np.ndarray:
    """Returns for each symbol its first and last frame on the likeliest path: [symbols, 2].

    scores are log-probabilities [frames, SYMBOLS]. Evenly spread where the frames are too few for the symbols.
    """
    frames, count = len(scores), len(symbols)
    states = np.zeros(2 * count + 1, int)
    states[1::2] = symbols
    if frames < count + sum(a == b for a, b in zip(symbols, symbols[1:])):
        edges = np.linspace(0, frames, count + 1).astype(int)
        return np.stack([edges[:-1], np.maximum(edges[:-1], edges[1:] - 1)], 1)
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    seen = scores[:, states]
    best = np.full(len(states), -np.inf)
    best[:2] = seen[0, :2]
    steps = np.zeros((frames, len(states)), np.int8)
    choices = np.full((3, len(states)), -np.inf)
    for t in range(1, frames):
        choices[0], choices[1, 1:], choices[2, 2:] = best, best[:-1], np.where(skips[2:], best[:-2], -np.inf)
        steps[t] = choices.argmax(0)
        best = choices.max(0) + seen[t]
    state = len(states) - 1 if best[-1] >= best[-2] else len(states) - 2
    spans = np.zeros((count, 2), int)
    spans[:, 0] = frames
    for t in range(frames - 1, -1, -1):
        if state % 2:
            spans[state // 2] = min(spans[state // 2, 0], t), max(spans[state // 2, 1], t)
        state -= int(steps[t, state])
    return spans


def words(scores: np.ndarray, said: str) -> np.ndarray:
    """Returns the first and the last frame of each word of a text in letters: [words, 2]."""
    spans, found, begin = path(scores, label(said)), [], 0
    for word in said.split(" "):
        own = spans[begin:begin + len(word)]
        found.append((own[:, 0].min(), own[:, 1].max()))
        begin += len(word) + 1
    return np.array(found)
