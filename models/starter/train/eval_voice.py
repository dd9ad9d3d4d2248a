#!/usr/bin/env python3
"""Measures how well the pronunciation model understands the starter voice, without a server.

    venv/bin/python eval_voice.py --voice ../voice.onnx --ctc ../pronunciation.onnx

Synthesizes held-out sentences with the voice, with its teacher (festival's slt) and with espeak-ng, and prints the error
rates. `make models-eval` measures how well speech to text understands it.
"""

import argparse
import pathlib
import types

import numpy as np
import onnxruntime
from scipy.signal import resample_poly

from ctc import training
from speech import features, sentences, voices
from voice import say


def starter(path: pathlib.Path):
    speaker = say.Speaker(path)
    return lambda text: resample_poly(speaker.say(text).astype(np.float32), voices.RATE, speaker.rate).clip(-32768, 32767).astype(np.int16)


def by_letters(path: pathlib.Path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda samples: training.greedy(session.run(["logits"], {"input_values": features.normalised(samples)[None]})[0][0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", type=pathlib.Path, required=True)
    parser.add_argument("--ctc", type=pathlib.Path, required=True)
    parser.add_argument("--sentences", type=int, default=60)
    parser.add_argument("--seed", type=int, default=99)
    options = parser.parse_args()
    texts = [t for t, _ in sentences.make(options.seed, options.sentences, held_out=True)]
    speakers = {"the voice": starter(options.voice),
                "its teacher": lambda text: voices.speak(voices.Voice("festival", "cmu_us_slt_arctic_hts", 1.0, 0), [text])[0],
                "espeak-ng": lambda text: voices.speak(voices.Voice("espeak-ng", "en-us", 1.0, 0.5), [text])[0]}
    hear = by_letters(options.ctc)
    for name, speak in speakers.items():
        clips = [types.SimpleNamespace(text=text, samples=speak(text)) for text in texts]
        letters, words = training.error_rates(clips, hear)
        print(f"{name}: letters {100 * letters:.1f} %, words {100 * words:.1f} % wrong of {len(clips)} sentences", flush=True)
        for clip in clips[:4]:
            print(f"  {clip.text!r} -> {hear(clip.samples)!r}", flush=True)


if __name__ == "__main__":
    main()
