"""Makes training examples from the teacher's speech, and batches from them."""

import dataclasses
import pathlib

import numpy as np

from speech import sentences
from voice import corpus, symbols, teacher, vocoder

FRAMES = [144, 240, 480]  # of the rows of batches
IDS_PER_FRAME = 0.36  # room for ids in a row
BEFORE, BEHIND = 0.05, 0.10  # seconds that stay of the silence at the ends
RISE, FALLING = 0.4, "what which who whose where when how why".split()


@dataclasses.dataclass(frozen=True)
class Example:
    """A sentence: its ids without pads, the frames of each, and the vocoder's parameters of both halves of each frame."""

    text: str
    ids: np.ndarray  # [ids]
    lengths: np.ndarray  # [ids] in frames, exact
    ends: np.ndarray  # [ids] in frames, whole
    frames: np.ndarray  # [ends[-1], 2 * COLUMNS]
    heard: np.ndarray  # [ends[-1], 2] whether pitch was heard

    def held_out(self) -> bool:
        return sentences.is_held_out(self.text)


def make(u: corpus.Utterance) -> Example:
    seconds = np.array(u.seconds)
    skipped = max(0.0, seconds[0] - BEFORE)
    seconds[0] -= skipped
    seconds[-1] = min(seconds[-1], BEHIND)
    names = [symbols.BEGIN, *u.symbols, symbols.END]
    known = [i for i, name in enumerate(names) if name in symbols.IDS]
    lengths = seconds[known] * vocoder.RATE / vocoder.FRAME
    ends = np.maximum(np.round(np.cumsum(lengths)), 1).astype(np.int32)
    times = skipped + (np.arange(2 * ends[-1]) + 0.5) * vocoder.HOP / vocoder.RATE
    frames, heard = parameters(u, times, rising(u, seconds, skipped))
    return Example(u.text, np.array([symbols.IDS[names[i]] for i in known], np.int32), lengths.astype(np.float32), ends,
                   frames.reshape(ends[-1], -1), heard.reshape(ends[-1], 2))


def save(path: pathlib.Path, examples: list[Example]) -> None:
    """Keeps what takes a minute to make."""
    whole = {name: np.concatenate([getattr(e, name) for e in examples]) for name in ("ids", "lengths", "ends", "frames", "heard")}
    whole |= {"texts": np.array([e.text for e in examples]), "counts": np.array([(len(e.ids), e.ends[-1]) for e in examples])}
    np.savez(path.with_suffix(".tmp.npz"), **whole)
    path.with_suffix(".tmp.npz").rename(path)


def load(path: pathlib.Path) -> list[Example]:
    whole = dict(np.load(path))
    marks = np.cumsum(whole["counts"], 0)[:-1].T
    parts = [np.split(whole[name], marks[kind]) for name, kind in (("ids", 0), ("lengths", 0), ("ends", 0), ("frames", 1), ("heard", 1))]
    return [Example(str(text), *rest) for text, *rest in zip(whole["texts"], *parts)]


def rising(u: corpus.Utterance, seconds: np.ndarray, skipped: float):
    """Where the voice is to rise, as people's does who ask anything but what, who, where ...: (from, to) in seconds, or None.

    The teacher asks as it tells; so this is what it has from us.
    """
    if not u.text.endswith("?") or u.text.split()[0].lower() in FALLING or symbols.STRESS[0] not in u.symbols:
        return None
    starts = skipped + np.cumsum(seconds) - seconds
    return starts[1 + u.symbols.rindex(symbols.STRESS[0])], starts[-1]


def parameters(u: corpus.Utterance, times: np.ndarray, rise, conversion=vocoder.conversion()):
    """The vocoder's parameters at times, [times, COLUMNS], and whether it is voiced there."""
    at = times / teacher.PERIOD - 0.5
    grid = np.arange(len(u.pitch))
    out = np.zeros((len(times), vocoder.COLUMNS), np.float32)
    cepstra = u.cepstra.astype(np.float32) @ conversion
    out[:, :vocoder.ORDER] = np.stack([np.interp(at, grid, column) for column in cepstra.T], 1)
    voiced = np.flatnonzero(u.pitch > 0)
    out[:, vocoder.PITCH] = np.interp(at, voiced, u.pitch[voiced]) if len(voiced) else np.log(175)
    heard = np.interp(at, grid, u.pitch > 0) > 0.5
    out[:, vocoder.VOICED] = heard
    if rise is not None:
        out[:, vocoder.PITCH] += RISE * np.clip((times - rise[0]) / max(0.05, rise[1] - rise[0]), 0, 1)
    names, ends = [symbols.BEGIN, *u.symbols, symbols.END], np.cumsum(u.seconds)
    sounds = [names[i] for i in np.minimum(np.searchsorted(ends, times), len(ends) - 1)]
    out[:, vocoder.CUT] = [vocoder.CUTS.get(sound, vocoder.VOWEL_CUT) for sound in sounds]
    return out, heard


def scales(examples: list[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the columns; of pitch, where it is heard."""
    rows = np.concatenate([e.frames.reshape(-1, vocoder.COLUMNS) for e in examples[:600]]).astype(np.float64)
    mean, deviation = rows.mean(0), rows.std(0)
    pitch = rows[rows[:, vocoder.VOICED] > 0.5, vocoder.PITCH]
    mean[vocoder.PITCH], deviation[vocoder.PITCH] = pitch.mean(), pitch.std()
    mean[vocoder.VOICED], deviation[vocoder.VOICED] = 0, 1
    return mean.astype(np.float32), deviation.astype(np.float32)


class Batches:
    """Batches of sentences of like length, each with its own seed: batch n is the same whenever it is made."""

    def __init__(self, examples: list[Example], seconds: float, seed: int):
        self.seed, self.total = seed, seconds * vocoder.RATE / vocoder.FRAME
        self.buckets = []
        room = [np.array([n, int(n * IDS_PER_FRAME)]) for n in FRAMES]
        left = list(examples)
        for n in room:
            fits = [e for e in left if e.ends[-1] <= n[0] and len(e.ids) <= n[1]]
            left = [e for e in left if not (e.ends[-1] <= n[0] and len(e.ids) <= n[1])]
            self.buckets.append((n, fits))
        weights = np.array([sum(e.ends[-1] for e in fits) for _, fits in self.buckets], float)
        self.weights = weights / weights.sum()

    def batch(self, number: int):
        """Returns ids, lengths, index of each frame's id, frames, heard; padded with zeros, index with -1."""
        rng = np.random.default_rng((self.seed, number))
        (frames, ids), examples = self.buckets[rng.choice(len(self.buckets), p=self.weights)]
        chosen = [examples[i] for i in rng.choice(len(examples), max(1, int(self.total / frames)))]
        return collate(chosen, frames, ids)


def collate(chosen: list[Example], frames: int, ids: int):
    count = len(chosen)
    out = (np.zeros((count, ids), np.int32), np.zeros((count, ids), np.float32), np.full((count, frames), -1, np.int32),
           np.zeros((count, frames, 2 * vocoder.COLUMNS), np.float32), np.zeros((count, frames, 2), np.float32))
    for row, e in enumerate(chosen):
        n, k = e.ends[-1], len(e.ids)
        out[0][row, :k], out[1][row, :k] = e.ids, e.lengths
        out[2][row, :n] = np.searchsorted(e.ends, np.arange(n), "right")
        out[3][row, :n], out[4][row, :n] = e.frames, e.heard
    return out
