"""Creates the small ONNX models of this folder: python3 make_models.py (needs the package onnx).

../identity.onnx  x float32 [1]  ->  y = x
double.onnx    x float32 [1,N], n int64 [1]  ->  y = 2x, and m = n + 1
slow.onnx      n int64 [1]  ->  n products of 256x256 matrices, one after another
square.onnx    x int64 [N,N]  ->  y = x times x: one node, which takes seconds if N is 1000 or more
widen.onnx     x float32 [N,1]  ->  y [1]: the sum over the N x N table of the products of x
outside.onnx   has its weights in ../outside.bin
absolute.onnx  has its weights in /etc/hostname
link.onnx      has its weights in link.bin, which a test makes a link to another folder
beside.onnx    has its weights in beside.bin in the same folder
address.onnx   has its weights at an address in memory
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def save(name, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, pathlib.Path(name).name, inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def double():
    save(
        "double",
        [helper.make_node("Add", ["x", "x"], ["y"]), helper.make_node("Add", ["n", "one"], ["m"])],
        [value("x", FLOAT, [1, "N"]), value("n", INT64, [1])],
        [value("y", FLOAT, [1, "N"]), value("m", INT64, [1])],
        [numpy_helper.from_array(np.array([1], np.int64), "one")],
    )


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
            helper.make_node("Squeeze", ["n"], ["count"]),
            helper.make_node("Loop", ["count", "", "start"], ["end"], body=body),
            helper.make_node("ReduceSum", ["end"], ["y"], keepdims=1),
        ],
        [value("n", INT64, [1])],
        [value("y", FLOAT, [1, 1])],
        [numpy_helper.from_array(np.array([256, 256], np.int64), "size")],
    )


def square():
    # Integers, because the product of floats is too fast.
    save(
        "square",
        [helper.make_node("MatMul", ["x", "x"], ["y"])],
        [value("x", INT64, ["N", "N"])],
        [value("y", INT64, ["N", "N"])],
    )


def widen():
    save(
        "widen",
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
            helper.make_node("Mul", ["x", "t"], ["square"]),
            helper.make_node("Tanh", ["square"], ["table"]),
            helper.make_node("ReduceSum", ["table"], ["sum"], keepdims=0),
            helper.make_node("Reshape", ["sum", "one"], ["y"]),
        ],
        [value("x", FLOAT, ["N", 1])],
        [value("y", FLOAT, [1])],
        [numpy_helper.from_array(np.array([1], np.int64), "one")],
    )


def external(name, location):
    weights = TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, val in {"location": location, "offset": "0", "length": "8"}.items():
        weights.external_data.add(key=key, value=val)
    save(
        name,
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [value("x", FLOAT, [2])],
        [value("y", FLOAT, [2])],
        [weights],
    )


save("../identity", [helper.make_node("Identity", ["x"], ["y"])], [value("x", FLOAT, [1])], [value("y", FLOAT, [1])])
double()
slow()
square()
widen()
external("outside", "../outside.bin")
external("absolute", "/etc/hostname")
external("link", "link.bin")
external("beside", "beside.bin")
external("address", "*/_ORT_MEM_ADDR_/*")
onnx.checker.check_model(str(HERE / "double.onnx"))
