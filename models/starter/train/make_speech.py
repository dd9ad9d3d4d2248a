#!/usr/bin/env python3
"""Creates the speech for training the speech models: generated sentences, spoken by Debian's synthesizers.

    apt-get install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts
    python3 -m venv venv && venv/bin/pip install --require-hashes -r requirements.txt
    venv/bin/python make_speech.py --out /somewhere/speech

Writes shards of 16 kHz int16 audio with their texts, forms of text and voices. Existing shards are kept, so the program
can be interrupted and started again. Each shard is a fair sample of its set. The sets are "train"; "trained-voices" and
"new-voices", held-out sentences in voices that are used for training and in voices that are not; "trained-words" and
"new-words", held-out words in rows or in place of another word. About 30 hours of speech, in 15 minutes on two cores.
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

SHARD = 100  # texts
SETS = {  # name: (number for the seed, form of the texts or any, draw of a voice)
    "train": (1, "", voices.trained),
    "trained-voices": (2, sentences.SENTENCE, voices.trained),
    "new-voices": (3, sentences.SENTENCE, voices.held_out),
    "trained-words": (4, sentences.WORDS, voices.trained),
    "new-words": (5, sentences.WORDS, voices.held_out),
}


def make_shard(path: pathlib.Path, texts: list[tuple[str, str]], draw, seed: int) -> float:
    """Synthesises a shard of (text, form) in drawn voices; returns its seconds."""
    rng = random.Random(seed)
    groups: dict[tuple, tuple[voices.Voice, list[tuple[str, str]]]] = {}
    for i, text in enumerate(texts):
        voice = draw(rng)
        # Festival is slow to start: one run, and so one rate, for a voice in a shard.
        key = (voice.program, voice.name if voice.program == "festival" else i)
        groups.setdefault(key, (voice, []))[1].append(text)
    clips = []
    for voice, said in groups.values():
        for (text, form), samples in zip(said, voices.speak(voice, [text for text, _ in said])):
            if 0.15 < len(samples) / voices.RATE < 12:
                entry = {"text": text, "form": form, "voice": voice.label(), "group": voice.group(), "samples": len(samples)}
                clips.append((samples, entry))
    rng.shuffle(clips)
    np.save(path.with_suffix(".tmp.npy"), np.concatenate([samples for samples, _ in clips]))
    path.with_suffix(".json").write_text(json.dumps([entry for _, entry in clips]))
    path.with_suffix(".tmp.npy").rename(path)  # the shard counts from here on
    return sum(entry["samples"] for _, entry in clips) / voices.RATE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the shards, outside the repository")
    parser.add_argument("--sentences", type=int, default=60000, help="number of training sentences")
    parser.add_argument("--held-out", type=int, default=300, help="number of texts in each evaluation set")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    jobs = []
    for name, (number, form, draw) in SETS.items():
        count = arguments.sentences if name == "train" else arguments.held_out
        texts = sentences.make(arguments.seed * 1000 + number, count, name != "train", form)
        for i in range(0, count, SHARD):
            path = arguments.out / f"{name}-{i // SHARD:04d}.npy"
            if not path.exists():
                jobs.append((path, texts[i:i + SHARD], draw, arguments.seed * 10**6 + number * 10**4 + i // SHARD))
    jobs.sort(key=lambda job: job[0].name.startswith("train-"))  # what the evaluation needs comes first
    started, done = time.monotonic(), 0.0
    with concurrent.futures.ProcessPoolExecutor(arguments.workers, initializer=os.nice, initargs=(10,)) as pool:
        for n, future in enumerate(concurrent.futures.as_completed([pool.submit(make_shard, *job) for job in jobs]), 1):
            done += future.result()
            print(f"{n}/{len(jobs)} shards, {done / 3600:.2f} h of speech in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
