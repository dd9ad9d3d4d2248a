#!/usr/bin/env python3
"""Makes pronunciation.onnx and pronunciation.vocab.json, the starter model for pronunciation scoring.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make_ctc.py

The format is that of facebook/hubert-large-ls960-ft as optimum exports it, with the same vocabulary, but small. Its
weights are random, from --seed. Also rewrites the model's lines of SHA256SUMS.
"""

import argparse
import hashlib
import json
import pathlib

from ctcmodel import graph

HERE = pathlib.Path(__file__).resolve().parent
NAME = "pronunciation"
# The order of the published vocabulary; <pad> is the CTC blank, | the boundary of words.
SYMBOLS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
SHAPE = graph.Shape(symbols=len(SYMBOLS), convolution=96, width=128, layers=4, heads=4, feed_forward=384,
                    position_kernel=31, position_groups=16)


def write_sums(names):
    """Replaces the lines of these files in SHA256SUMS."""
    path = HERE / "SHA256SUMS"
    lines = [line for line in path.read_text().splitlines() if line.split("  ")[1] not in names]
    lines += [f"{hashlib.sha256((HERE / name).read_bytes()).hexdigest()}  {name}" for name in names]
    path.write_text("\n".join(sorted(lines, key=lambda line: line.split("  ")[1])) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=20)
    arguments = parser.parse_args()
    arrays = list(graph.random_weights(SHAPE, arguments.seed))
    model = graph.build(SHAPE, arrays)
    (HERE / f"{NAME}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    vocabulary = {symbol: i for i, symbol in enumerate(SYMBOLS)}
    (HERE / f"{NAME}.vocab.json").write_text(json.dumps(vocabulary, separators=(", ", ": ")) + "\n")
    names = [f"{NAME}.onnx", f"{NAME}.vocab.json"]
    write_sums(names)
    print(sum(a.size for _, a in arrays), "parameters")
    for name in names:
        print(HERE / name, (HERE / name).stat().st_size)


if __name__ == "__main__":
    main()
