"""Reads the shards of make_speech.py and makes batches from them."""

import dataclasses
import json
import pathlib

import numpy as np

from speech import augment

RATE = 16000


@dataclasses.dataclass(frozen=True)
class Clip:
    """A text as it was said."""

    text: str
    form: str  # of sentences.SENTENCE, EVERYDAY, WORDS
    voice: str
    group: str  # see voices.Voice.group
    samples: np.ndarray  # int16


def load(folder: pathlib.Path, name: str) -> list[Clip]:
    """Loads a set of make_speech.py; its audio stays on the disk until it is used."""
    clips = []
    for path in sorted(folder.glob(f"{name}-????.npy")):
        audio, at = np.load(path, mmap_mode="r"), 0
        for entry in json.loads(path.with_suffix(".json").read_text()):
            clips.append(Clip(entry["text"], entry["form"], entry["voice"], entry["group"], audio[at:at + entry["samples"]]))
            at += entry["samples"]
    return clips


class Batches:
    """Batches of clips of like length, each with its own seed: batch n is the same whenever it is made."""

    def __init__(self, clips: list[Clip], lengths: list[float], seconds: float, seed: int):
        """Lengths are those of the batches' rows, in seconds; seconds is what a batch holds together."""
        self.clips, self.seed, self.noises = clips, seed, augment.Noises(seed)
        self.rows = [(int(length * RATE), max(1, int(seconds / length))) for length in lengths]
        durations = np.array([len(c.samples) / RATE for c in clips])
        places = np.searchsorted(np.array(lengths) * 0.95, durations)
        self.buckets = [np.flatnonzero(places == i) for i in range(len(lengths))]
        weights = np.array([durations[b].sum() for b in self.buckets])
        self.weights = weights / weights.sum()

    def recordings(self, number: int, shortest: bool = False):
        """Returns (length of the rows, their texts, their recordings) of batch `number`; see augment.recorded."""
        rng = np.random.default_rng((self.seed, number))
        if shortest:  # of the first batches: alignments are found on short clips first
            weights = self.weights * (np.arange(len(self.rows)) < 2)
            bucket = rng.choice(len(self.rows), p=weights / weights.sum())
        else:
            bucket = rng.choice(len(self.rows), p=self.weights)
        length, count = self.rows[bucket]
        chosen = [self.clips[i] for i in rng.choice(self.buckets[bucket], count)]
        others = [self.clips[i].samples for i in rng.integers(len(self.clips), size=count)]
        recordings = [augment.recorded(rng, c.samples, length, o, self.noises) for c, o in zip(chosen, others)]
        return length, [c.text for c in chosen], recordings
