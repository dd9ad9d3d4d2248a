"""Writes pronunciation.onnx with its vocabulary and its dictionary, and checks the network."""

import hashlib
import json
import logging
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from pronunciation import graph, training
from pronunciation.corpus import SYMBOLS

NAME = "pronunciation"
# The inputs of these products have a few very large numbers, which would leave 8 bits nothing for the others.
IN_FLOATS = {"bands", "blocks.3.down.weight", "inp.weight", "head_up.weight", "head_down.weight", "ctc.weight", "rated.weight"}
CLOSE = 0.02  # of the largest logit


def quantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with 8-bit products of matrices, and its other large tensors in 16 bits."""
    logging.disable(logging.WARNING)
    constants = {tensor.name for tensor in model.graph.initializer}
    left = [node.name for node in model.graph.node if node.op_type == "MatMul"
            and (node.input[1] not in constants or set(node.input) & IN_FLOATS)]
    with tempfile.TemporaryDirectory() as directory:
        whole, small = (pathlib.Path(directory) / name for name in ("whole.onnx", "small.onnx"))
        onnx.save(model, whole)
        quantize_dynamic(whole, small, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"],
                         nodes_to_exclude=left)
        model = onnx.load(small)
    casts = []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.FLOAT and array.size >= graph.SMALL:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def features(encoder) -> onnx.ModelProto:
    """The model without the head, quantised as it will be."""
    g = graph.Graph(encoder)
    return quantised(g.model({"features": (g.features("input_values"), encoder.width * len(graph.KEPT))}))


def whole(encoder, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    g = graph.Graph(encoder)
    logits, ratings = g.head(g.features("input_values"), weights)
    return quantised(g.model({"logits": (logits, len(SYMBOLS)), "ratings": (ratings, len(SYMBOLS) + 1)}))


def lexicon(dictionary: dict[str, list[list[str]]]) -> str:
    """CMU's dictionary as text without stress; words with the same pronunciation twice have it once."""
    lines = []
    for word in sorted(dictionary):
        for phonemes in dict.fromkeys(" ".join(p.rstrip("012") for p in way) for way in dictionary[word]):
            lines.append(f"{word} {phonemes}\n")
    return "".join(lines)


def write_sums(folder: pathlib.Path, names: list[str]) -> None:
    """Replaces the files' lines in the folder's SHA256SUMS, if it has one."""
    sums = folder / "SHA256SUMS"
    if sums.exists():
        lines = dict(reversed(line.split("  ")) for line in sums.read_text().splitlines())
        for name in names:
            lines[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        sums.write_text("".join(f"{lines[name]}  {name}\n" for name in sorted(lines)))


def check(path: pathlib.Path, encoder, head) -> None:
    """Compares what the file computes with what PyTorch computes of the features."""
    whole, part = (onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
                   for model in (path, features(encoder).SerializeToString()))
    rng = np.random.default_rng(0)
    for length in (400, 719, 720, 1040, 16000, 53000):
        samples = training.normalised(rng.standard_normal(length) * np.sin(np.arange(length) / 900))[None]
        logits, ratings = whole.run(["logits", "ratings"], {"input_values": samples})
        with torch.no_grad():
            x, mask = training.padded(list(part.run(None, {"input_values": samples})[0]))
            expected, rated, fluency = (y.numpy() for y in head(x, mask))
        worst = max(np.abs(logits - expected).max(), np.abs(ratings - np.concatenate([rated, fluency[..., None]], -1)).max())
        if logits.shape[1] != graph.frames(length) or worst > CLOSE * np.abs(expected).max():
            raise SystemExit(f"{path} does not compute what was trained: it differs by {worst:.2g} for {length} samples")


def write(folder: pathlib.Path, encoder, head, dictionary) -> None:
    """Writes the model, its vocabulary and its dictionary."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.onnx"
    weights = {name: value.numpy() for name, value in head.state_dict().items()}
    path.write_bytes(whole(encoder, weights).SerializeToString(deterministic=True))
    check(path, encoder, head)
    vocabulary = {symbol: i for i, symbol in enumerate(SYMBOLS)}
    (folder / f"{NAME}.vocab.json").write_text(json.dumps(vocabulary, separators=(", ", ": ")) + "\n")
    (folder / f"{NAME}.lexicon.txt").write_text(lexicon(dictionary))
    print(f"wrote {path} ({path.stat().st_size:,} bytes)")
