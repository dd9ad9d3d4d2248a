"""A HuBERT / wav2vec 2.0 network with a CTC head as an ONNX graph, in the format of optimum's exports.

`weights` lists the arrays that a Shape needs, `random_weights` creates them, and `build` makes a graph from them. The
input is `input_values` float32 [batch, samples] at 16 kHz, normalized; the output is `logits` float32 [batch, frames,
symbols]. A frame is 20 ms. The architecture is that of the "large" models: layer norms in the feature extractor and before each block.
"""

import dataclasses

import numpy as np
from onnx import TensorProto, helper, numpy_helper

KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)
EPSILON = 1e-5
OPSET, IR_VERSION = 17, 8


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of a network."""

    symbols: int
    convolution: int  # channels of the feature extractor
    width: int  # of the encoder
    layers: int
    heads: int
    feed_forward: int
    position_kernel: int = 128
    position_groups: int = 16


# The order of the published vocabulary; <pad> is the CTC blank, | the word boundary.
SYMBOLS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
HUBERT_LARGE = Shape(symbols=len(SYMBOLS), convolution=512, width=1024, layers=24, heads=16, feed_forward=4096)


def weights(shape):
    """Yields (name, dimensions, inputs per output) for every array; 0 inputs means a bias, -1 the scale of a norm."""
    channels = 1
    for i, kernel in enumerate(KERNELS):
        yield f"conv{i}.weight", (shape.convolution, channels, kernel), channels * kernel
        yield f"conv{i}.bias", (shape.convolution,), 0
        yield from norm(f"conv{i}.norm", shape.convolution)
        channels = shape.convolution
    yield from norm("projection.norm", shape.convolution)
    yield from linear("projection", shape.convolution, shape.width)
    group = shape.width // shape.position_groups
    yield "position.weight", (shape.width, group, shape.position_kernel), group * shape.position_kernel
    yield "position.bias", (shape.width,), 0
    for i in range(shape.layers):
        yield from norm(f"layer{i}.attention.norm", shape.width)
        for part in ("query", "key", "value", "output"):
            yield from linear(f"layer{i}.{part}", shape.width, shape.width)
        yield from norm(f"layer{i}.feed_forward.norm", shape.width)
        yield from linear(f"layer{i}.up", shape.width, shape.feed_forward)
        yield from linear(f"layer{i}.down", shape.feed_forward, shape.width)
    yield from norm("encoder.norm", shape.width)
    yield from linear("head", shape.width, shape.symbols)


def norm(name, size):
    yield f"{name}.weight", (size,), -1
    yield f"{name}.bias", (size,), 0


def linear(name, inputs, outputs):
    yield f"{name}.weight", (inputs, outputs), inputs
    yield f"{name}.bias", (outputs,), 0


def random_weights(shape, seed):
    """Yields (name, array): He-initialised, biases 0, norms 1."""
    rng = np.random.default_rng(seed)
    for name, dimensions, inputs in weights(shape):
        if inputs > 0:
            array = rng.standard_normal(dimensions, dtype=np.float32) * np.float32((2 / inputs) ** 0.5)
        else:
            array = np.full(dimensions, -inputs, dtype=np.float32)
        yield name, array


class Builder:
    """Collects the nodes of a graph. Each method returns the name of its result."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], {}, 0

    def node(self, kind, *inputs, **attributes):
        self.count += 1
        output = f"{kind}_{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name, value, dtype):
        self.constants[name] = np.array(value, dtype=dtype)
        return name

    def number(self, value):
        return self.constant(f"number_{value:g}", value, np.float32)

    def integers(self, *values):
        return self.constant("integers_" + "_".join(map(str, values)), values, np.int64)

    def norm(self, x, name):
        return self.node("LayerNormalization", x, f"{name}.weight", f"{name}.bias", axis=-1, epsilon=EPSILON)

    def linear(self, x, name):
        return self.node("Add", self.node("MatMul", x, f"{name}.weight"), f"{name}.bias")

    def gelu(self, x):
        erf = self.node("Erf", self.node("Div", x, self.number(2**0.5)))
        return self.node("Mul", self.node("Mul", x, self.node("Add", erf, self.number(1))), self.number(0.5))

    def turn(self, x):
        return self.node("Transpose", x, perm=[0, 2, 1])

    def features(self, x):
        x = self.node("Unsqueeze", x, self.integers(1))
        for i, (kernel, stride) in enumerate(zip(KERNELS, STRIDES)):
            x = self.node("Conv", x, f"conv{i}.weight", f"conv{i}.bias", kernel_shape=[kernel], strides=[stride])
            x = self.gelu(self.turn(self.norm(self.turn(x), f"conv{i}.norm")))
        return self.linear(self.norm(self.turn(x), "projection.norm"), "projection")

    def positions(self, x, shape):
        half = shape.position_kernel // 2
        y = self.node("Conv", self.turn(x), "position.weight", "position.bias", group=shape.position_groups,
                      kernel_shape=[shape.position_kernel], pads=[half, half])
        if shape.position_kernel % 2 == 0:  # one frame too many
            y = self.node("Slice", y, self.integers(0), self.integers(-1), self.integers(2))
        return self.node("Add", x, self.turn(self.gelu(y)))

    def attention(self, x, name, shape):
        head = shape.width // shape.heads

        def split(part, perm):
            y = self.node("Reshape", self.linear(x, f"{name}.{part}"), self.integers(0, 0, shape.heads, head))
            return self.node("Transpose", y, perm=perm)

        query = self.node("Mul", split("query", [0, 2, 1, 3]), self.number(head**-0.5))
        scores = self.node("Softmax", self.node("MatMul", query, split("key", [0, 2, 3, 1])), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", scores, split("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        return self.linear(self.node("Reshape", mixed, self.integers(0, 0, shape.width)), f"{name}.output")

    def layer(self, x, name, shape):
        x = self.node("Add", x, self.attention(self.norm(x, f"{name}.attention.norm"), name, shape))
        inner = self.gelu(self.linear(self.norm(x, f"{name}.feed_forward.norm"), f"{name}.up"))
        return self.node("Add", x, self.linear(inner, f"{name}.down"))


def build(shape, arrays):
    """Returns the ONNX model of a network; arrays are (name, array) as `weights` lists them."""
    b = Builder()
    x = b.positions(b.features("input_values"), shape)
    for i in range(shape.layers):
        x = b.layer(x, f"layer{i}", shape)
    x = b.linear(b.norm(x, "encoder.norm"), "head")
    b.nodes.append(helper.make_node("Identity", [x], ["logits"], name="logits"))
    graph = helper.make_graph(
        b.nodes, "hubert_ctc",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch_size", "sequence_length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", "frames", shape.symbols])],
        [numpy_helper.from_array(array, name) for name, array in [*arrays, *b.constants.items()]])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                             producer_name="modelgateway")
