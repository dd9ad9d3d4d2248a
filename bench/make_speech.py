#!/usr/bin/env python3
"""Creates the speech models for bench/ in the user's cache, with published shapes and random weights.

    python3 bench/make_speech.py whisper    # whisper base.en, f16: ggml-base.en-random.bin, 141 MiB
    python3 bench/make_speech.py piper      # a Piper voice of medium size: piper-medium-random.onnx, 58 MB
    python3 bench/make_speech.py hubert     # HuBERT large CTC: hubert-large-random/, fp32 1.2 GiB and int8

Needs bench/requirements.txt (`scripts/tools.sh bench` installs it). Existing models are kept. The last line of output
is the path of the model.
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
# Position at which the text of a window ends, about the number of tokens in 11 s of speech. Random weights alone
# continue to the limit of 220, so that the decoder would need nearly all the time.
WHISPER_TOKENS = 40


def cache() -> pathlib.Path:
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return base / "modelgateway" / "bench"


def vocabulary_of(path: pathlib.Path) -> list[bytes]:
    """Reads the tokens of a whisper ggml file. They follow its magic, 11 numbers and the mel filters."""
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

    In make_whisper.decoder_tables coordinate 0 makes time tokens more likely, and coordinate 1 the end of the text.
    Here there are no time tokens, so that a window of 30 s is encoded once, and the end is at the same position in
    each window.
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
    """Writes the voice and its JSON file."""
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
        # A temporary folder, so that an incomplete file is never used as a model.
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
