#!/usr/bin/env python3
"""Creates a CTC model with the shape of HuBERT large and random weights, to measure speed and memory.

    python3 bench/make_hubert.py --out FOLDER            # model.onnx, fp32, 1.2 GiB
    python3 bench/make_hubert.py --out FOLDER --int8     # also model_int8.onnx, dynamically quantized

Needs the packages onnx and numpy, and onnxruntime for --int8 (see bench/requirements.txt). Operators, widths and
layers are those of facebook/hubert-large-ls960-ft as exported by optimum, so a second of audio needs the same time and
memory; the results are meaningless. The folder is a model for engine-hubert. The last line of output is its path.
"""

import argparse
import json
import pathlib

import hubert_graph as graph
import onnx

SEED = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write, outside the repository")
    parser.add_argument("--int8", action="store_true", help="also write a model with matrices quantized to 8 bits")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "model.onnx"
    if not path.exists():
        onnx.save(graph.build(graph.HUBERT_LARGE, graph.random_weights(graph.HUBERT_LARGE, SEED)), path)
    vocabulary = {symbol: i for i, symbol in enumerate(graph.SYMBOLS)}
    (arguments.out / "vocab.json").write_text(json.dumps(vocabulary) + "\n")
    if arguments.int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(path, arguments.out / "model_int8.onnx", weight_type=QuantType.QUInt8,
                         op_types_to_quantize=["MatMul"])
    print(arguments.out)


if __name__ == "__main__":
    main()
