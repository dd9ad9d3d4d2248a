"""Creates the small ONNX voices of this folder: python3 make_voices.py (needs the package onnx). Their description is
that of the starter voice, changed by the tests.

slow.onnx      computes for about a millisecond per id and returns ten samples for it; no durations
echo.onnx      several speakers; returns its inputs: the scales, the speaker, the ids
few.onnx       has only ten ids
stereo.onnx    returns two channels
integer.onnx   returns integers
other.onnx     not a voice
"""

import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def save(name, nodes, constants=None, sid=False, output=FLOAT, shape=("batch", 1, 1, "time"), inputs=None):
    inputs = inputs or [
        value("input", INT64, ["batch", "phonemes"]),
        value("input_lengths", INT64, ["batch"]),
        value("scales", FLOAT, [3]),
    ]
    if sid:
        inputs.append(value("sid", INT64, ["batch"]))
    constants = {"samples": np.array([1, 1, 1, -1], np.int64), **(constants or {})}
    graph = helper.make_graph(
        nodes,
        name,
        inputs,
        [value("output", output, list(shape))],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def slow():
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["a", "a"], ["p"]),
            helper.make_node("Tanh", ["p"], ["b"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [value("i", INT64, []), value("go", BOOL, []), value("a", FLOAT, [256, 256])],
        [value("on", BOOL, []), value("b", FLOAT, [256, 256])],
    )
    save(
        "slow",
        [
            helper.make_node("ConstantOfShape", ["size"], ["start"]),
            helper.make_node("Squeeze", ["input_lengths"], ["count"]),
            helper.make_node("Loop", ["count", "", "start"], ["end"], body=body),
            helper.make_node("ReduceMax", ["end"], ["none"], keepdims=0),
            helper.make_node("Cast", ["input"], ["ids"], to=FLOAT),
            helper.make_node("Tile", ["ids", "times"], ["many"]),
            helper.make_node("Mul", ["many", "loud"], ["quiet"]),
            helper.make_node("Add", ["quiet", "none"], ["sum"]),
            helper.make_node("Reshape", ["sum", "samples"], ["output"]),
        ],
        {
            "size": np.array([256, 256], np.int64),
            "times": np.array([1, 10], np.int64),
            "loud": np.array(0.001, np.float32),
        },
    )


def echo():
    save(
        "echo",
        [
            helper.make_node("Cast", ["input"], ["many"], to=FLOAT),
            helper.make_node("Reshape", ["many", "row"], ["ids"]),
            helper.make_node("Cast", ["sid"], ["speaker"], to=FLOAT),
            helper.make_node("Concat", ["scales", "speaker", "ids"], ["all"], axis=0),
            helper.make_node("Reshape", ["all", "samples"], ["output"]),
        ],
        {"row": np.array([-1], np.int64)},
        sid=True,
    )


def few():
    save(
        "few",
        [
            helper.make_node("Gather", ["table", "input"], ["rows"], axis=0),
            helper.make_node("Reshape", ["rows", "samples"], ["output"]),
        ],
        {"table": np.ones((10, 4), np.float32)},
    )


def wrong():
    cast = helper.make_node("Cast", ["input"], ["ids"], to=FLOAT)
    save(
        "stereo",
        [
            cast,
            helper.make_node("Concat", ["ids", "ids"], ["both"], axis=0),
            helper.make_node("Reshape", ["both", "pair"], ["output"]),
        ],
        {"pair": np.array([1, 1, 2, -1], np.int64)},
        shape=("batch", 1, 2, "time"),
    )
    save("integer", [helper.make_node("Reshape", ["input", "samples"], ["output"])], output=INT64)
    save(
        "other",
        [helper.make_node("Reshape", ["x", "samples"], ["output"])],
        inputs=[value("x", FLOAT, [1, "n"])],
    )


slow()
echo()
few()
wrong()
