"""Creates a voice of the size of Piper's medium voices with random weights, to measure time and memory:

    python3 make_medium.py voice.onnx       (needs the packages numpy and onnx)

The encoder, the flow and the decoder have the layers and widths of piper1-gpl's VITS at medium quality. Every id lasts
three frames of 256 samples. The voice produces noise. Its description is that of the starter voice.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN, FILTER, HEADS, LAYERS = 192, 768, 2, 6
FLOWS, FLOW_LAYERS, FRAMES = 4, 4, 3
UPSAMPLE = [(8, 16), (8, 16), (4, 8)]
KERNELS, DILATIONS = (3, 5, 7), ((1, 2), (2, 6), (3, 12))

random = np.random.default_rng(1)
nodes, constants = [], []


def weight(*shape):
    name = f"w{len(constants)}"
    fan = np.prod(shape[1:]) if len(shape) > 1 else 1
    constants.append(numpy_helper.from_array((random.standard_normal(shape) / np.sqrt(fan)).astype(np.float32), name))
    return name


def const(value, dtype=np.int64):
    name = f"w{len(constants)}"
    constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
    return name


def op(kind, *inputs, outputs=1, **attributes):
    names = [f"n{len(nodes)}_{i}" for i in range(outputs)]
    nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
    return names[0] if outputs == 1 else names


def conv(x, channels, out, kernel, dilation=1):
    pad = (kernel - 1) * dilation // 2
    return op("Conv", x, weight(out, channels, kernel), weight(out), dilations=[dilation], pads=[pad, pad])


def attention(x):
    size = HIDDEN // HEADS

    def heads(x):
        return op("Reshape", conv(x, HIDDEN, HIDDEN, 1), const([1, HEADS, size, -1]))

    q, k, v = heads(x), heads(x), heads(x)
    scores = op("Softmax", op("MatMul", op("Transpose", q, perm=[0, 1, 3, 2]), k), axis=-1)
    mixed = op("MatMul", v, op("Transpose", scores, perm=[0, 1, 3, 2]))
    return conv(op("Reshape", mixed, const([1, HIDDEN, -1])), HIDDEN, HIDDEN, 1)


def encoder(x):
    for _ in range(LAYERS):
        x = op("Add", x, attention(x))
        x = op("Add", x, conv(op("Relu", conv(x, HIDDEN, FILTER, 3)), FILTER, HIDDEN, 3))
        x = op("Tanh", x)
    return x


def flow(x):
    for _ in range(FLOWS):
        first, second = op("Split", x, outputs=2, axis=1)
        h = conv(first, HIDDEN // 2, HIDDEN, 1)
        for _ in range(FLOW_LAYERS):
            a, b = op("Split", conv(h, HIDDEN, 2 * HIDDEN, 5), outputs=2, axis=1)
            gated = op("Mul", op("Tanh", a), op("Sigmoid", b))
            h = op("Add", h, conv(gated, HIDDEN, HIDDEN, 1))
        second = op("Add", second, conv(h, HIDDEN, HIDDEN // 2, 1))
        x = op("Concat", second, first, axis=1)
    return x


def decoder(x):
    channels = 256
    x = conv(x, HIDDEN, channels, 7)
    for rate, kernel in UPSAMPLE:
        x = op("LeakyRelu", x, alpha=0.1)
        pad = (kernel - rate) // 2
        x = op("ConvTranspose", x, weight(channels, channels // 2, kernel), weight(channels // 2), strides=[rate], pads=[pad, pad])
        channels //= 2
        blocks = []
        for kernel, dilations in zip(KERNELS, DILATIONS):
            y = x
            for dilation in dilations:
                y = op("Add", y, conv(op("LeakyRelu", y, alpha=0.1), channels, channels, kernel, dilation))
            blocks.append(y)
        x = op("Div", op("Sum", *blocks), const(3, np.float32))
    return op("Tanh", conv(op("LeakyRelu", x, alpha=0.1), channels, 1, 7))


def main():
    x = op("Transpose", op("Gather", weight(256, HIDDEN), "input"), perm=[0, 2, 1])
    x = encoder(x)
    x = op("Resize", x, "", const([1, 1, FRAMES], np.float32), mode="nearest", coordinate_transformation_mode="asymmetric")
    noise = op("Mul", op("RandomNormalLike", x), op("Slice", "scales", const([0]), const([1])))
    x = decoder(flow(op("Add", x, noise)))
    nodes.append(helper.make_node("Reshape", [x, const([1, 1, 1, -1])], ["output"]))

    def value(name, kind, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes,
        "medium",
        [
            value("input", TensorProto.INT64, ["batch", "phonemes"]),
            value("input_lengths", TensorProto.INT64, ["batch"]),
            value("scales", TensorProto.FLOAT, [3]),
        ],
        [value("output", TensorProto.FLOAT, ["batch", 1, 1, "time"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    path = pathlib.Path(sys.argv[1])
    onnx.save(model, str(path))
    starter = pathlib.Path(__file__).resolve().parents[3] / "models" / "starter" / "voice.onnx.json"
    path.with_name(path.name + ".json").write_bytes(starter.read_bytes())


main()
