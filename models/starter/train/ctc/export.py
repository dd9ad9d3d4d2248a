"""Writes the network as ONNX, in the format of published models: raw audio in, logits for each 20 ms out.

`input_values` float32 [batch, samples] at 16 kHz, normalised, to `logits` float32 [batch, frames, symbols], where
frames = (samples - 400) // 320 + 1. The log-mel spectra of speech/features.py are the first layers: a convolution with
windowed waves, a square, a matrix of bands, a logarithm.
"""

import hashlib
import json
import pathlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from ctc.network import EPSILON, SYMBOLS
from speech import features

OPSET, IR_VERSION = 17, 8
NAME = "pronunciation"


class Graph:
    """Collects nodes and constants; each method returns the name of what it computes."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants = weights, [], {}

    def node(self, kind, *inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name, array):
        array = np.asarray(array)
        self.constants[name] = np.ascontiguousarray(array.astype(np.float32) if array.dtype.kind == "f" else array)
        return name

    def weight(self, name, form=lambda array: array):
        return self.constant(name, form(self.weights[name]))

    def linear(self, x, name):
        return self.node("Add", self.node("MatMul", x, self.weight(f"{name}.weight")), self.weight(f"{name}.bias"))

    def norm(self, x, name):
        return self.node("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1, epsilon=EPSILON)

    def convolution(self, x, name, form, **attributes):
        return self.node("Conv", x, self.weight(f"{name}.weight", form), self.weight(f"{name}.bias"), **attributes)

    def turned(self, x):
        return self.node("Transpose", x, perm=[0, 2, 1])

    def log_mel(self, samples):
        """[batch, samples] to [batch, bands, frames of 10 ms]."""
        angles = 2 * np.pi * np.outer(np.arange(features.WINDOW // 2 + 1), np.arange(features.WINDOW)) / features.WINDOW
        waves = np.concatenate([np.cos(angles), np.sin(angles)]) * features.window()
        bands = np.concatenate([features.mel_filters()] * 2).T
        x = self.node("Unsqueeze", samples, self.constant("channel", np.array([1], np.int64)))
        x = self.node("Conv", x, self.constant("waves", waves[:, None]), kernel_shape=[features.WINDOW],
                      strides=[features.HOP], pads=[features.EDGE] * 2)
        x = self.node("MatMul", self.constant("bands", bands), self.node("Mul", x, x))
        x = self.node("Log", self.node("Add", x, self.constant("floor", np.float32(features.FLOOR))))
        return self.node("Mul", self.node("Sub", x, self.constant("mean", np.float32(features.MEAN))),
                         self.constant("scale", np.float32(features.SCALE)))

    def network(self, x, shape):
        """[batch, bands, frames] to the logits' name."""
        def kernel(size):  # [size * inputs, outputs] to [outputs, inputs, size]
            return lambda w: w.reshape(size, -1, w.shape[1]).transpose(2, 1, 0)

        frames = self.node("Div", self.node("Shape", x, start=2, end=3), self.constant("two", np.array([2], np.int64)))
        x = self.node("Relu", self.convolution(x, "stem", kernel(3), kernel_shape=[3], pads=[1, 1]))
        x = self.turned(self.convolution(x, "stack", kernel(shape.stack), kernel_shape=[shape.stack], strides=[shape.stack],
                                         pads=[0, shape.stack - 1]))
        for i in range(shape.blocks):
            y = self.turned(self.norm(x, f"block{i}.norm"))
            y = self.convolution(y, f"block{i}.time", lambda w: w.T[:, None], group=shape.width,
                                 kernel_shape=[shape.kernel], pads=[shape.kernel // 2] * 2)
            y = self.node("Relu", self.linear(self.turned(y), f"block{i}.up"))
            x = self.node("Add", x, self.linear(y, f"block{i}.down"))
        x = self.linear(self.norm(x, "last.norm"), "head")
        halves = self.constant("halves", np.array([0, -1, shape.symbols], np.int64))
        first, axis = self.constant("first", np.array([0], np.int64)), self.constant("axis", np.array([1], np.int64))
        return self.node("Slice", self.node("Reshape", x, halves), first, frames, axis)


def build(weights: dict, shape):
    """Returns the ONNX model."""
    g = Graph(weights)
    out = g.network(g.log_mel("input_values"), shape)
    g.nodes.append(helper.make_node("Identity", [out], ["logits"], name="logits"))
    graph = helper.make_graph(
        g.nodes, "starter_ctc",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch_size", "sequence_length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", "frames", shape.symbols])],
        [numpy_helper.from_array(array, name) for name, array in g.constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                              producer_name="modelgateway")
    checker.check_model(model, full_check=True)
    return model


def check(path: pathlib.Path, weights: dict, shape) -> None:
    """Compares what ONNX Runtime computes of the file with what JAX computes."""
    import jax.numpy as jnp
    import onnxruntime

    from ctc import network

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng, worst = np.random.default_rng(0), 0.0
    for length in (400, 719, 720, 1040, 1360, 16000, 53000):
        samples = features.normalised(rng.standard_normal(length) * np.sin(np.arange(length) / 900))
        expected = np.asarray(network.logits(weights, features.log_mel(samples)[None], shape, jnp.matmul))[0]
        got = session.run(["logits"], {"input_values": samples[None]})[0][0]
        if got.shape != expected.shape or len(got) != (length - 400) // 320 + 1:
            raise SystemExit(f"{path}: {got.shape} of {length} samples, not {expected.shape}")
        worst = max(worst, float(np.abs(got - expected).max() / np.abs(expected).max()))
    print(f"ONNX Runtime and JAX differ by at most {worst:.1e} of the largest logit")
    if worst > 1e-4:
        raise SystemExit(f"{path} does not compute what was trained")


def write_sums(folder: pathlib.Path) -> None:
    """Replaces the lines of the two files in the folder's SHA256SUMS, if it has one."""
    sums = folder / "SHA256SUMS"
    if sums.exists():
        lines = dict(reversed(line.split("  ")) for line in sums.read_text().splitlines())
        for name in (f"{NAME}.onnx", f"{NAME}.vocab.json"):
            lines[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        sums.write_text("".join(f"{lines[name]}  {name}\n" for name in sorted(lines)))


def write(folder: pathlib.Path, weights: dict, shape) -> None:
    """Writes pronunciation.onnx and pronunciation.vocab.json, and checks them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.onnx"
    path.write_bytes(build(weights, shape).SerializeToString(deterministic=True))
    vocabulary = {symbol: i for i, symbol in enumerate(SYMBOLS)}
    (folder / f"{NAME}.vocab.json").write_text(json.dumps(vocabulary, separators=(", ", ": ")) + "\n")
    check(path, weights, shape)
    write_sums(folder)
    print(f"wrote {path} ({path.stat().st_size:,} bytes)")
