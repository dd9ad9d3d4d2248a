"""The times of the words in the training data, found with the letters of the encoder."""

import functools
import multiprocessing
import os
import pathlib
import time

import numpy as np

from asr import align, features
from speech import corpus
from speech.sentences import letters

AT_ONCE = 8  # clips

_hear = None  # of a process of its own: finds the words of clips


def read(work: pathlib.Path, folder: pathlib.Path, count: int) -> list[np.ndarray | None]:
    """Returns the first and last frames of the words of each clip of a folder, as far as they are found."""
    path = work / f"{folder.name}.times.npz"
    if not path.exists():
        return [None] * count
    with np.load(path) as file:
        if len(file["ends"]) != count:
            raise SystemExit(f"{path} is about other clips: remove it")
        return np.split(file["words"], file["ends"][:-1])


def find(folders: list[pathlib.Path], work: pathlib.Path, weights: dict, shape, filters: np.ndarray) -> None:
    """Writes the times of the folders' clips where that was not done already."""
    weights = {name: np.asarray(value) for name, value in weights.items() if name.startswith(("encoder.", "letters."))}
    for folder in folders:
        if (work / f"{folder.name}.times.npz").exists():
            continue
        started, lengths = time.monotonic(), np.array([len(clip.samples) // features.HOP for clip in corpus.load(folder, "train")])
        jobs = np.array_split(np.argsort(lengths, kind="stable"), len(lengths) // AT_ONCE + 1)
        with multiprocessing.get_context("spawn").Pool(os.cpu_count(), start, (folder, work, weights, shape, filters)) as pool:
            words = [None] * len(lengths)
            for done, (some, found) in enumerate(zip(jobs, pool.imap(words_of, jobs, 16)), 1):
                for i, one in zip(some, found):
                    words[i] = one
                if done % 2000 == 0:
                    print(f"found the words of {done * AT_ONCE}/{len(words)} clips in {time.monotonic() - started:.0f} s", flush=True)
        np.savez(work / f"{folder.name}.times.npz", words=np.concatenate(words), ends=np.cumsum([len(w) for w in words]))


def start(folder, work, weights, shape, filters):
    """Begins a process that finds words."""
    global _hear
    import jax
    from asr import network

    hear = jax.jit(lambda w, mel: jax.nn.log_softmax(network.letters(w, network.encode(w, mel, np.zeros(len(mel), np.int32), shape))))
    clips = corpus.load(folder, "train")
    _hear = functools.partial(words_heard, clips, features.Store(work / f"{folder.name}.spectra", clips, filters), functools.partial(hear, weights))


def words_of(some: np.ndarray) -> list[np.ndarray]:
    return _hear(some)


def words_heard(clips, store, hear, some: np.ndarray) -> list[np.ndarray]:
    """The words' times of clips of like length."""
    spectra = [store[i] for i in some]
    longest = -(-max(map(len, spectra)) // 50) * 50
    mel = np.zeros((AT_ONCE, longest, spectra[0].shape[1]), np.float32)
    for row, raw in zip(mel, spectra):
        row[:] = features.scaled(np.pad(raw, ((0, longest - len(raw)), (0, 0)), constant_values=features.FLOOR))
    scores = np.asarray(hear(mel))
    return [align.words(one[:len(raw) // 2], letters(clips[i].text)) for one, raw, i in zip(scores, spectra, some)]
