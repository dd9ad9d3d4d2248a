"""The ONNX graph: raw audio → log-mel spectra → the first blocks of Whisper's encoder → the head.

`input_values` float32 [batch, samples] at 16 kHz, to `logits` float32 [batch, frames, symbols] and `ratings`
[batch, frames, symbols + 1], one frame for 20 ms. The audio may have any length: Whisper's positions are computed, and
nothing is padded to 30 s. The spectra are divided by their maximum, so that the volume does not matter.
"""

import math

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from pronunciation.whisper import Encoder

OPSET, IR_VERSION = 17, 8
WINDOW, HOP, EDGE = 400, 160, 80  # samples; EDGE zeros at each end
EPSILON = 1e-5
KEPT = (2, 4)  # the encoder's blocks whose output the head gets; later blocks are left out
SMALL = 1 << 16  # numbers: larger tensors are stored in 16 bits


def frames(samples: int) -> int:
    """The number of frames of a clip, which is HuBERT's."""
    return ((samples + 2 * EDGE - WINDOW) // HOP + 1) // 2


class Graph:
    """Collects nodes and constants; each method returns the name of what it computes."""

    def __init__(self, encoder: Encoder):
        self.encoder, self.nodes, self.constants = encoder, [], {}

    def node(self, kind, *inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name, array):
        array = np.asarray(array)
        self.constants[name] = np.ascontiguousarray(array.astype(np.float32) if array.dtype.kind == "f" else array)
        return name

    def linear(self, x, name, weight, bias=None):
        """weight is [outputs, inputs], as PyTorch has it."""
        y = self.node("MatMul", x, self.constant(f"{name}.weight", weight.T))
        return y if bias is None else self.node("Add", y, self.constant(f"{name}.bias", bias))

    def norm(self, x, name, weight, bias):
        return self.node("LayerNormalization", x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias),
                         axis=-1, epsilon=EPSILON)

    def gelu(self, x):
        bell = self.node("Erf", self.node("Div", x, self.constant("root_of_2", np.float32(math.sqrt(2)))))
        return self.node("Mul", self.node("Mul", x, self.node("Add", bell, self.constant("one", np.float32(1)))),
                         self.constant("half", np.float32(0.5)))

    def log_mel(self, samples):
        """[batch, samples] to [batch, bands, frames of 10 ms]."""
        angles = 2 * np.pi * np.outer(np.arange(WINDOW // 2 + 1), np.arange(WINDOW)) / WINDOW
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
        waves = np.concatenate([np.cos(angles), np.sin(angles)]) * hann
        x = self.node("Unsqueeze", samples, self.constant("channel", np.array([1], np.int64)))
        x = self.node("Conv", x, self.constant("waves", waves[:, None]), kernel_shape=[WINDOW], strides=[HOP], pads=[EDGE] * 2)
        x = self.node("MatMul", self.constant("bands", np.concatenate([self.encoder.filters] * 2, 1)), self.node("Mul", x, x))
        x = self.node("Log", self.node("Max", x, self.constant("floor", np.float32(1e-10))))
        x = self.node("Mul", x, self.constant("to_base_10", np.float32(1 / math.log(10))))
        x = self.node("Sub", x, self.node("ReduceMax", x, axes=[1, 2], keepdims=1))
        x = self.node("Max", x, self.constant("range", np.float32(-8)))
        return self.node("Mul", self.node("Add", x, self.constant("shift", np.float32(5))), self.constant("quarter", np.float32(0.25)))

    def even(self, x):
        """The spectra without the last one if their number is odd, for as many frames as HuBERT has."""
        two = self.constant("two", np.array([2], np.int64))
        last = self.node("Mul", self.node("Div", self.node("Shape", x, start=2, end=3), two), two)
        return self.node("Slice", x, self.constant("from", np.array([0], np.int64)), last, two)

    def positions(self, x):
        """Whisper's sines and cosines for the frames of x."""
        rates = np.exp(-math.log(10000) / (self.encoder.width // 2 - 1) * np.arange(self.encoder.width // 2))
        count = self.node("Squeeze", self.node("Shape", x, start=1, end=2), self.constant("axis_0", np.array([0], np.int64)))
        places = self.node("Range", self.constant("first", np.int64(0)), count, self.constant("step", np.int64(1)))
        column = self.node("Unsqueeze", self.node("Cast", places, to=TensorProto.FLOAT), self.constant("axis_1", np.array([1], np.int64)))
        angles = self.node("Mul", column, self.constant("rates", rates[None]))
        return self.node("Concat", self.node("Sin", angles), self.node("Cos", angles), axis=1)

    def block(self, x, name):
        e, get = self.encoder, lambda part: self.encoder.weights[f"{name}.{part}"]
        size = e.width // e.heads
        split = self.constant("split", np.array([0, 0, e.heads, size], np.int64))
        y = self.norm(x, f"{name}.attn_ln", get("attn_ln.weight"), get("attn_ln.bias"))
        query = self.linear(y, f"{name}.query", get("attn.query.weight") * size**-0.5, get("attn.query.bias") * size**-0.5)
        key = self.linear(y, f"{name}.key", get("attn.key.weight"))
        value = self.linear(y, f"{name}.value", get("attn.value.weight"), get("attn.value.bias"))
        query, value = (self.node("Transpose", self.node("Reshape", z, split), perm=[0, 2, 1, 3]) for z in (query, value))
        key = self.node("Transpose", self.node("Reshape", key, split), perm=[0, 2, 3, 1])
        y = self.node("MatMul", self.node("Softmax", self.node("MatMul", query, key), axis=-1), value)
        y = self.node("Reshape", self.node("Transpose", y, perm=[0, 2, 1, 3]), self.constant("join", np.array([0, 0, e.width], np.int64)))
        x = self.node("Add", x, self.linear(y, f"{name}.out", get("attn.out.weight"), get("attn.out.bias")))
        y = self.norm(x, f"{name}.mlp_ln", get("mlp_ln.weight"), get("mlp_ln.bias"))
        y = self.gelu(self.linear(y, f"{name}.up", get("mlp.0.weight"), get("mlp.0.bias")))
        return self.node("Add", x, self.linear(y, f"{name}.down", get("mlp.2.weight"), get("mlp.2.bias")))

    def features(self, samples):
        """[batch, samples] to [batch, frames, width * len(KEPT)]."""
        x, w = self.even(self.log_mel(samples)), self.encoder.weights
        for name, stride in (("conv1", 1), ("conv2", 2)):
            x = self.node("Conv", x, self.constant(f"{name}.weight", w[f"{name}.weight"]),
                          self.constant(f"{name}.bias", w[f"{name}.bias"].reshape(-1)), kernel_shape=[3], strides=[stride], pads=[1, 1])
            x = self.gelu(x)
        x = self.node("Transpose", x, perm=[0, 2, 1])
        x, kept = self.node("Add", x, self.positions(x)), []
        for i in range(max(KEPT) + 1):
            x = self.block(x, f"blocks.{i}")
            if i in KEPT:
                kept.append(x)
        return self.node("Concat", *kept, axis=2)

    def head(self, x, w):
        """The network of heads.py with the weights w."""
        scaled = w["inp.weight"] / w["std"]
        x = self.gelu(self.linear(x, "inp", scaled, w["inp.bias"] - scaled @ w["mean"]))
        y = self.node("Transpose", self.norm(x, "ln", w["ln.weight"], w["ln.bias"]), perm=[0, 2, 1])
        size = w["dw.weight"].shape[2]
        y = self.node("Conv", y, self.constant("dw.weight", w["dw.weight"]), self.constant("dw.bias", w["dw.bias"]),
                      group=len(w["dw.bias"]), kernel_shape=[size], pads=[size // 2] * 2)
        y = self.gelu(self.linear(self.node("Transpose", y, perm=[0, 2, 1]), "head_up", w["up.weight"], w["up.bias"]))
        x = self.node("Add", x, self.linear(y, "head_down", w["down.weight"], w["down.bias"]))
        x = self.norm(x, "ln2", w["ln2.weight"], w["ln2.bias"])
        ratings = [np.concatenate([w[f"acc.{part}"], w[f"flu.{part}"]]) for part in ("weight", "bias")]
        return self.linear(x, "ctc", w["ctc.weight"], w["ctc.bias"]), self.linear(x, "rated", *ratings)

    def model(self, outputs: dict[str, tuple[str, int]]):
        """The model with outputs by name: what computes them, and their width."""
        for name, (computed, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [computed], [name], name=name))
        value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(
            self.nodes, "pronunciation", [value("input_values", "batch_size", "sequence_length")],
            [value(name, "batch_size", "frames", width) for name, (_, width) in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                                  producer_name="modelgateway")
        checker.check_model(model, full_check=True)
        return model
