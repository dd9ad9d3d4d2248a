"""Reads the shards of make_speech.py."""

import dataclasses
import json
import pathlib

import numpy as np

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
