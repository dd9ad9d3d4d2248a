"""Collects the nodes and constants of an ONNX graph."""

import numpy as np
from onnx import helper, numpy_helper


class Graph:
    """Each call adds a node and returns the name of what it computes; arrays among the inputs become constants."""

    def __init__(self, weights: dict):
        self.weights, self.nodes, self.constants = weights, [], []

    def constant(self, value, dtype=None) -> str:
        array = np.asarray(value, dtype)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def __call__(self, op, *inputs, name="", **attributes) -> str:
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        name = name or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def ints(self, *values) -> str:
        return self.constant(values, np.int64)

    def number(self, value: int) -> str:
        return self.constant(value, np.int64)

    def exact(self, value: float) -> str:
        """A number in double precision."""
        self.constants.append(numpy_helper.from_array(np.array(value, np.float64), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def counted(self, end: str) -> str:
        """The whole numbers below one that the graph computes."""
        return self("Range", self.number(0), end, self.number(1))

    def cast(self, x: str, dtype) -> str:
        return self("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def slice(self, x: str, start, end, axis=0) -> str:
        return self("Slice", x, *(v if isinstance(v, str) else self.ints(v) for v in (start, end)), self.ints(axis))

    def weight(self, name: str) -> str:
        if name not in self.weights:
            return name  # it is a constant already
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(self.weights.pop(name), np.float32), name))
        return name

    def linear(self, x: str, name: str) -> str:
        return self("Add", self("MatMul", x, self.weight(f"{name}.weight")), self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str, epsilon: float) -> str:
        return self("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1, epsilon=epsilon)
