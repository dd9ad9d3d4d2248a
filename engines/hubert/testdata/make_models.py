"""Makes the tiny ONNX models of this folder: python3 make_models.py (needs the package onnx).

tones.onnx   a CTC model that hears whistled spelling: each of the 28 symbols of the published vocabulary from "|" on is a
             tone, 200 Hz apart from 400 Hz; silence is the blank. Frames are those of HuBERT: 400 samples, each 320.
slow.onnx    the same, and work that grows with the square of the audio's length
masked.onnx  tones.onnx with an attention mask as second input
rated.onnx   tones.onnx with an output "ratings": the logits, and the blank's logit as the fluency
narrow.onnx  the same without the fluency, which is not valid
The others are no such models: rank3 wants [batch, 1, samples], fixed a second of audio, ids whole numbers, flat gives
[frames, symbols], pooled one frame for all, nan no numbers, extra has a second input for audio.
"""

import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
RATE, KERNEL, STRIDE, TONES, FIRST, APART = 16000, 400, 320, 28, 400, 200
BLANK, LOUD = 6.0, 12.0
ROUNDS = 20  # products of matrices in slow.onnx for one second of audio


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, array, kind=np.float32):
    return numpy_helper.from_array(np.array(array, dtype=kind), name)


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), output.split(), **attributes)


def save(name, nodes, inputs, outputs, constants):
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


AUDIO = value("input_values", FLOAT, ["batch", "samples"])
LOGITS = value("logits", FLOAT, ["batch", "frames", 4 + TONES])


def tones(result="logits"):
    """Nodes and constants that compute logits from input_values; the waves are computed too, to keep files small."""
    hertz = 2 * np.pi / RATE * (FIRST + APART * np.arange(TONES))
    nodes = [
        node("Range", "zero steps one", "time"),
        node("Mul", "hertz time", "angle"),
        node("Cos", "angle", "cosine"),
        node("Sin", "angle", "sine"),
        node("Concat", "cosine sine", "plain", axis=0),
        node("Mul", "time turn", "phase"),
        node("Cos", "phase", "bell"),
        node("Sub", "one bell", "hann"),
        node("Mul", "plain hann", "window"),
        node("Unsqueeze", "window axis1", "waves"),
        node("Unsqueeze", "input_values axis1", "audio"),
        node("Conv", "audio waves", "parts", strides=[STRIDE], kernel_shape=[KERNEL]),
        node("Mul", "parts parts", "powers"),
        node("Split", "powers", "even odd", axis=1),
        node("Add", "even odd", "power"),
        node("Mul", "power gain", "scaled"),
        node("Min", "scaled one", "clipped"),
        node("Mul", "clipped loud", "heard"),
        node("Transpose", "heard", "symbols", perm=[0, 2, 1]),
        node("Slice", "symbols from to axis2", "four"),
        node("Mul", "four zero", "nothing"),
        node("Add", "nothing specials", "rest"),
        node("Concat", "rest symbols", result, axis=2),
    ]
    constants = [
        constant("zero", 0), constant("one", 1), constant("steps", KERNEL),
        constant("hertz", hertz[:, None]), constant("turn", 2 * np.pi / KERNEL), constant("axis1", [1], np.int64),
        constant("axis2", [2], np.int64), constant("gain", 1 / (KERNEL / 2) ** 2), constant("loud", LOUD),
        constant("from", [0], np.int64), constant("to", [4], np.int64), constant("specials", [BLANK, 20, 20, 20]),
    ]
    return nodes, constants


def slow():
    nodes, constants = tones("quick")
    body = helper.make_graph(
        [node("MatMul", "before identity", "after"), node("Identity", "go", "on")], "body",
        [value("i", INT64, []), value("go", BOOL, []), value("before", FLOAT, [256, 256])],
        [value("on", BOOL, []), value("after", FLOAT, [256, 256])])
    nodes += [
        node("Size", "input_values", "count"),
        node("Cast", "count", "samples", to=FLOAT),
        node("Mul", "samples second", "seconds"),
        node("Mul", "seconds seconds", "squared"),
        node("Mul", "squared rounds", "rounds_needed"),
        node("Cast", "rounds_needed", "trips", to=INT64),
        node("Loop", "trips yes identity", "product", body=body),
        node("ReduceSum", "product", "sum", keepdims=0),
        node("Mul", "sum zero", "nought"),
        node("Add", "quick nought", "logits"),
    ]
    identity = helper.make_node("EyeLike", ["square"], ["identity"])
    square = helper.make_node("ConstantOfShape", ["side"], ["square"])
    constants += [constant("second", 1 / RATE), constant("rounds", ROUNDS), constant("yes", True, np.bool_),
                  constant("side", [256, 256], np.int64)]
    save("slow", [square, identity, *nodes], [AUDIO], [LOGITS], constants)


def main():
    nodes, constants = tones()
    save("tones", nodes, [AUDIO], [LOGITS], constants)
    slow()
    nodes, constants = tones("unmasked")
    masked = [node("Cast", "attention_mask", "mask", to=FLOAT), node("ReduceMin", "mask", "all", keepdims=0),
              node("Mul", "unmasked all", "logits")]
    save("masked", nodes + masked, [AUDIO, value("attention_mask", INT64, ["batch", "samples"])], [LOGITS], constants)
    nodes, constants = tones("heard_of_all")
    constants += [constant("sides", [1, 4 + TONES - 1], np.int64)]
    rated = [node("Identity", "heard_of_all", "logits"), node("Split", "heard_of_all sides", "blank others", axis=2)]
    ratings = lambda width: value("ratings", FLOAT, ["batch", "frames", width])
    save("rated", nodes + rated + [node("Concat", "heard_of_all blank", "ratings", axis=2)], [AUDIO], [LOGITS, ratings(5 + TONES)], constants)
    save("narrow", nodes + rated + [node("Concat", "others blank", "ratings", axis=2)], [AUDIO], [LOGITS, ratings(4 + TONES)], constants)

    nodes, constants = tones()
    save("fixed", nodes, [value("input_values", FLOAT, [1, RATE])], [LOGITS], constants)
    save("rank3", [n for n in nodes if n.output[0] != "audio"],
         [value("audio", FLOAT, ["batch", 1, "samples"])], [LOGITS], constants)
    save("ids", [node("Cast", "ids", "input_values", to=FLOAT), *nodes], [value("ids", INT64, ["batch", "samples"])],
         [LOGITS], constants)
    save("extra", nodes + [node("Identity", "more", "same")], [AUDIO, value("more", FLOAT, ["batch", "samples"])],
         [LOGITS, value("same", FLOAT, ["batch", "samples"])], constants)
    nodes, constants = tones("three")
    save("flat", nodes + [node("Squeeze", "three first", "logits")], [AUDIO],
         [value("logits", FLOAT, ["frames", 4 + TONES])], [*constants, constant("first", [0], np.int64)])
    save("pooled", nodes + [node("ReduceMean", "three", "logits", axes=[1])], [AUDIO],
         [value("logits", FLOAT, ["batch", 1, 4 + TONES])], constants)
    save("nan", nodes + [node("Div", "zero zero", "nan"), node("Add", "three nan", "logits")], [AUDIO], [LOGITS], constants)


if __name__ == "__main__":
    main()
