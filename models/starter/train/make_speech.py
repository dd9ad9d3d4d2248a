#!/usr/bin/env python3
"""Makes the speech that the speech models learn from: sentences of a grammar, said by Debian's synthesisers.

    apt-get install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts
    python3 -m venv venv && venv/bin/pip install --require-hashes -r requirements.txt
    venv/bin/python make_speech.py --out /somewhere/speech

Writes shards of 16 kHz int16 audio with their texts; shards that are there already are kept, so that it can be broken
off and started again. The sets: "train"; "trained-voices", held-out sentences in voices of the training; "new-voices",
held-out sentences in voices that training never hears.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import time

import numpy as np

from speech import sentences, voices

SHARD = 100  # sentences
SEEDS = {"train": 1, "trained-voices": 2, "new-voices": 3}


def make_shard(path: pathlib.Path, texts: list[str], kind: str, seed: int) -> float:
    """Synthesises a shard; returns its seconds."""
    rng = random.Random(seed)
    draw = voices.held_out if kind == "new-voices" else voices.trained
    groups: dict[tuple, tuple[voices.Voice, list[str]]] = {}
    for i, text in enumerate(texts):
        voice = draw(rng)
        # Festival is slow to start: one run, and so one rate, for a voice in a shard.
        key = (voice.program, voice.name if voice.program == "festival" else i)
        groups.setdefault(key, (voice, []))[1].append(text)
    audio, entries = [], []
    for voice, said in groups.values():
        for text, samples in zip(said, voices.speak(voice, said)):
            if 0.15 < len(samples) / voices.RATE < 12:
                audio.append(samples)
                entries.append({"text": text, "voice": voice.label(), "samples": len(samples)})
    np.save(path.with_suffix(".tmp.npy"), np.concatenate(audio))
    path.with_suffix(".json").write_text(json.dumps(entries))
    path.with_suffix(".tmp.npy").rename(path)  # the shard counts from here on
    return sum(e["samples"] for e in entries) / voices.RATE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the shards, outside the repository")
    parser.add_argument("--sentences", type=int, default=9000, help="of the training")
    parser.add_argument("--held-out", type=int, default=300, help="of each set of the evaluation")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    jobs = []
    for kind, number in SEEDS.items():
        count = arguments.sentences if kind == "train" else arguments.held_out
        texts = sentences.make(arguments.seed * 1000 + number, count, held_out=kind != "train")
        for i in range(0, count, SHARD):
            path = arguments.out / f"{kind}-{i // SHARD:04d}.npy"
            if not path.exists():
                jobs.append((path, texts[i:i + SHARD], kind, arguments.seed * 10**6 + number * 10**4 + i // SHARD))
    jobs.sort(key=lambda job: job[2] == "train")  # what the evaluation needs comes first
    started, done = time.monotonic(), 0.0
    with concurrent.futures.ProcessPoolExecutor(arguments.workers, initializer=os.nice, initargs=(10,)) as pool:
        for n, future in enumerate(concurrent.futures.as_completed([pool.submit(make_shard, *job) for job in jobs]), 1):
            done += future.result()
            print(f"{n}/{len(jobs)} shards, {done / 3600:.2f} h of speech in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
