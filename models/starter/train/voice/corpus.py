"""Creates and reads the training data of the voice: symbols with their times, and the teacher's parameters."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import random
import tempfile
import time

import numpy as np

from voice import align, phonemes, teacher, texts

SHARD = 100  # texts
WORST = 0.1  # of an alignment's cost for each sound: above, the two programs do not say the same


@dataclasses.dataclass(frozen=True)
class Utterance:
    """A sentence as the teacher said it."""

    text: str
    symbols: str
    seconds: list[float]  # of the symbols, and of the pauses before and behind them
    cepstra: np.ndarray  # [frames of teacher.PERIOD, teacher.ORDER]
    pitch: np.ndarray  # [frames] log Hz, 0 where unvoiced


def make_shard(path: pathlib.Path, chosen: list[str]) -> int:
    """Lets the teacher say texts; returns how many could be used."""
    entries, cepstra, pitch = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for text, labels in zip(chosen, teacher.labels(chosen, pathlib.Path(folder))):
            spoken = phonemes.sentences(text)
            if labels is None or len(spoken) != 1 or align.seconds(spoken[0], teacher.phones(labels))[0] > WORST:
                continue
            phones, frames, tones = teacher.parameters(labels)
            times = align.seconds(spoken[0], phones)[1]
            entries.append({"text": text, "symbols": "".join(spoken[0]), "seconds": times.round(4).tolist(), "frames": len(frames)})
            cepstra.append(frames.astype(np.float16))
            pitch.append(tones)
    np.savez(path.with_suffix(".tmp.npz"), cepstra=np.concatenate(cepstra), pitch=np.concatenate(pitch), entries=json.dumps(entries))
    path.with_suffix(".tmp.npz").rename(path)
    return len(entries)


def make(folder: pathlib.Path, count: int, seed: int, workers: int) -> None:
    """Makes the shards that are not there yet, of `count` texts."""
    folder.mkdir(parents=True, exist_ok=True)
    complete = folder / "complete"
    if complete.exists():
        return
    writer = texts.Writer(random.Random(seed))
    chosen = list(dict.fromkeys(writer.text() for _ in range(count)))
    paths = [folder / f"voice-{i // SHARD:04d}.npz" for i in range(0, len(chosen), SHARD)]
    jobs = [(p, chosen[i * SHARD:(i + 1) * SHARD]) for i, p in enumerate(paths) if not p.exists()]
    started, used = time.monotonic(), 0
    with concurrent.futures.ProcessPoolExecutor(workers, initializer=os.nice, initargs=(5,)) as pool:
        for n, future in enumerate(concurrent.futures.as_completed([pool.submit(make_shard, *job) for job in jobs]), 1):
            used += future.result()
            print(f"{n}/{len(jobs)} shards, {used} sentences of {n * SHARD} in {time.monotonic() - started:.0f} s", flush=True)
    complete.touch()


def load(folder: pathlib.Path) -> list[Utterance]:
    found = []
    for path in sorted(folder.glob("voice-????.npz")):
        shard, at = np.load(path), 0
        cepstra, pitch = shard["cepstra"], shard["pitch"]
        for e in json.loads(str(shard["entries"])):
            part = slice(at, at + e["frames"])
            found.append(Utterance(e["text"], e["symbols"], e["seconds"], cepstra[part], pitch[part]))
            at += e["frames"]
    return found
