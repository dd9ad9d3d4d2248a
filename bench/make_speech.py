#!/usr/bin/env python3
"""Makes the speech models that bench/ measures, of the published shapes with random weights, in the user's cache.

    python3 bench/make_speech.py whisper    # whisper base.en, f16: ggml-base.en-random.bin, 141 MiB
    python3 bench/make_speech.py piper      # a Piper voice of the medium shape: piper-medium-random.onnx, 58 MB
    python3 bench/make_speech.py hubert     # HuBERT large CTC: hubert-large-random/, fp32 1.2 GiB and int8

Needs bench/requirements.txt (`scripts/tools.sh bench` installs it). What is there already is kept. The last line
printed is the path of the model.
"""

import argparse
import os
import pathlib
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STARTER = ROOT / "models" / "starter"
SIZE = "base.en"
# Whisper's positions at which a window's text ends: about as many tokens as speech has in 11 s. Random weights
# alone decode to the limit of 220, and a transcription would be all decoder.
WHISPER_TOKENS = 40


def cache() -> pathlib.Path:
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return base / "modelgateway" / "bench"


def vocabulary_of(path: pathlib.Path) -> list[bytes]:
    """Reads the tokens of a whisper ggml file: behind its magic and 11 numbers come the mel filters, then they."""
    with path.open("rb") as file:
        file.seek(4 + 11 * 4)
        mels, bins = struct.unpack("<2i", file.read(8))
        file.seek(4 * mels * bins, os.SEEK_CUR)
        (count,) = struct.unpack("<i", file.read(4))
        tokens = []
        for _ in range(count):
            (length,) = struct.unpack("<i", file.read(4))
            tokens.append(file.read(length))
        return tokens


def whisper(out: pathlib.Path) -> None:
    """Writes base.en with the starter model's vocabulary.

    The file's own arrangement (make_whisper.decoder_tables) has coordinate 0 raise times and 1 the end of the text: here
    no times, so that a window of 30 s is encoded once, and the end at the same position in each window.
    """
    sys.path.insert(0, str(STARTER))
    import make_whisper

    shape = make_whisper.SIZES[SIZE]
    weights = make_whisper.random_weights(shape, seed=4)
    positions = weights["decoder.positional_embedding"]
    positions[:, 0] = -8
    positions[:, 1] = -8
    positions[WHISPER_TOKENS:, 1] = 40
    make_whisper.write_model(out, shape, vocabulary_of(STARTER / "whisper.bin"), weights, "f16")


def piper(out: pathlib.Path) -> None:
    """Writes the voice and its description."""
    script = ROOT / "engines" / "piper" / "testdata" / "make_medium.py"
    subprocess.run([sys.executable, script, out], check=True)


def hubert(out: pathlib.Path) -> None:
    """Writes a folder with model.onnx and model_int8.onnx."""
    subprocess.run([sys.executable, ROOT / "bench" / "make_hubert.py", "--out", out, "--int8"], check=True,
                   stdout=sys.stderr)


MODELS = {
    "whisper": (whisper, "ggml-base.en-random.bin"),
    "piper": (piper, "piper-medium-random.onnx"),
    "hubert": (hubert, "hubert-large-random"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=MODELS)
    make, name = MODELS[parser.parse_args().model]
    final = cache() / name
    if not final.exists():
        print(f"writing {final}", file=sys.stderr)
        # A folder of its own, so that nothing half-made is ever taken for a model.
        work = cache() / f".making-{os.getpid()}"
        work.mkdir(parents=True)
        try:
            make(work / name)
            description = work / (name + ".json")
            if description.exists():
                description.replace(final.with_name(description.name))
            (work / name).replace(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    print(final)
    return 0


if __name__ == "__main__":
    sys.exit(main())
