#!/usr/bin/env python3
"""Speaks a part of make_speech.py's texts with the starter voice, so that speech to text learns that voice too.

    venv/bin/python make_voice_speech.py --voice ../voice.onnx --speech /somewhere/speech --out /somewhere/own-voice

Writes shards like make_speech.py; give both folders to train_whisper.py.
"""

import argparse
import json
import pathlib
import random

import numpy as np

from speech import corpus, voices
from speech.voices import ends_cut, resample_poly

SHARD = 100  # texts


def clip(speaker, text: str, rng: random.Random) -> np.ndarray:
    """Says a text at a rate and with noise that callers may choose; int16 at voices.RATE."""
    said = speaker.say(text, noise=rng.uniform(0, 0.8), length=rng.uniform(0.85, 1.2), noise_w=rng.uniform(0, 0.8))
    shared = int(np.gcd(speaker.rate, voices.RATE))
    samples = resample_poly(said.astype(np.float32), voices.RATE // shared, speaker.rate // shared)
    return ends_cut(np.clip(samples, -32768, 32767).astype(np.int16))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", type=pathlib.Path, required=True)
    parser.add_argument("--speech", type=pathlib.Path, required=True, help="folder that make_speech.py wrote")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=int, default=24000)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    from voice import say

    speaker, rng = say.Speaker(options.voice), random.Random(options.seed)
    known = rng.sample(corpus.load(options.speech, "train"), options.texts)
    for number in range(0, len(known), SHARD):
        audio, entries = [], []
        for one in known[number:number + SHARD]:
            samples = clip(speaker, one.text, rng)
            if 0.15 < len(samples) / voices.RATE < 12:
                audio.append(samples)
                entries.append({"text": one.text, "form": one.form, "voice": "starter", "group": "starter", "samples": len(samples)})
        path = options.out / f"train-{number // SHARD:04d}.npy"
        np.save(path, np.concatenate(audio))
        path.with_suffix(".json").write_text(json.dumps(entries))
    print(f"{len(known)} texts are in {options.out}")


if __name__ == "__main__":
    main()
