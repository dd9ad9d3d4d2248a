"""Speaks texts with a voice file and ONNX Runtime, like the engine; for tests, and for the training of other models.

    python -m voice.say --voice ../voice.onnx --out /somewhere/wavs < texts     one file for each line: 0000.wav, ...
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnxruntime
from scipy.io import wavfile

from voice import phonemes, symbols

SILENCE = 0.2  # seconds behind a sentence


class Speaker:
    """A loaded voice."""

    def __init__(self, path: pathlib.Path, threads: int = 1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.rate = json.loads(pathlib.Path(f"{path}.json").read_text())["audio"]["sample_rate"]

    def sentence(self, spoken: list[str], noise=0.667, length=1.0, noise_w=0.8) -> np.ndarray:
        """Says the symbols of a sentence; float32 samples."""
        ids, _ = symbols.to_ids(spoken)
        scales = np.array([noise, length, noise_w], np.float32)
        return self.session.run(["output"], {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": scales})[0].ravel()

    def say(self, text: str, noise=0.667, length=1.0, noise_w=0.8) -> np.ndarray:
        """Says a text; int16 samples at the voice's rate, each sentence as loud as can be."""
        parts = []
        for spoken in phonemes.sentences(text):
            samples = self.sentence(spoken, noise, length, noise_w)
            parts += [samples / max(1e-8, np.abs(samples).max()) * 32767, np.zeros(int(SILENCE * self.rate))]
        return np.concatenate([*parts, np.zeros(0)]).astype(np.int16)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--noise", type=float, default=0.667)
    parser.add_argument("--length", type=float, default=1.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    speaker = Speaker(options.voice)
    for i, line in enumerate(sys.stdin):
        wavfile.write(options.out / f"{i:04d}.wav", speaker.rate, speaker.say(line.strip(), options.noise, options.length))


if __name__ == "__main__":
    main()
