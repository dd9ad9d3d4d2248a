"""Writes the voice in Piper's format: voice.onnx and voice.onnx.json.

`input` int64 [1, n], `input_lengths` int64 [1], `scales` float32 [noise, length, noise_w] → `output` float32
[1, 1, 1, samples] and `durations` float32 [1, 1, n], in frames of 256 samples (piper1-gpl, docs/ALIGNMENTS.md).
"""

import collections
import hashlib
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper

from voice import graph_vocoder, network, symbols, vocoder
from voice.graph import Graph

OPSET, IR_VERSION = 17, 8
LENGTH_SPREAD = 0.18  # of the logarithm of durations at noise_w 1
CEPSTRA_SPREAD, PITCH_SPREAD, SPREAD_FRAMES = 0.12, 0.4, 9  # of normalised parameters at noise_scale 1, and their smoothing
LOUDNESS = np.log(20000)  # the teacher's samples are about so large; published voices' go to 1
SEEN = 20  # times that a symbol must be in the training


def borrowed(table: np.ndarray, examples) -> tuple[np.ndarray, np.ndarray]:
    """Gives symbols that were not heard the embedding of the nearest; returns the table, and 1 for ids that are read at all."""
    counts = collections.Counter(int(i) for e in examples for i in e.ids)
    heard = {s for s, i in symbols.IDS.items() if counts[i] >= SEEN}
    table, read = table.copy(), np.zeros(symbols.COUNT, bool)
    for base, others in symbols.NEAREST.items():
        for other in others:
            if other not in heard:
                table[symbols.IDS[other]] = table[symbols.IDS[base]]
                heard.add(other)
    for pause in set(symbols.PAUSES) - heard:
        table[symbols.IDS[pause]] = table[symbols.IDS[" "]]
        heard.add(pause)
    read[[symbols.IDS[s] for s in heard]] = True
    print("read as nothing:", "".join(sorted(set(symbols.ORDER) - heard)), flush=True)
    return table, read


def blocks(g: Graph, x: str, part: str, count: int, width: int) -> str:
    """Residual blocks over [time, channels]."""
    for i in range(count):
        name = f"{part}{i}"
        y = g.norm(x, f"{name}.norm", network.EPSILON)
        g.weights[f"{name}.time.weight"] = np.asarray(g.weights[f"{name}.time.weight"]).T[:, None]
        size = g.weights[f"{name}.time.weight"].shape[2]
        wide = g("Conv", g("Unsqueeze", g("Transpose", y), g.ints(0)), g.weight(f"{name}.time.weight"), g.weight(f"{name}.time.bias"),
                 group=width, kernel_shape=[size], pads=[size // 2] * 2)
        inner = g.linear(g("Transpose", g("Squeeze", wide, g.ints(0))), f"{name}.up")
        if f"{name}.all.weight" in g.weights:
            inner = g("Add", inner, g.linear(g("ReduceMean", y, axes=[0]), f"{name}.all"))
        x = g("Add", x, g.linear(g("Relu", inner), f"{name}.down"))
    return g.norm(x, f"{part}.norm", network.EPSILON)


def durations(g: Graph, x: str, kept: str) -> str:
    """Frames of each id, exact."""
    raw = g.linear(g("Relu", g.linear(x, "length.up")), "length.down")
    length = g("Mul", g("Softplus", g("Squeeze", raw, g.ints(1))), g("Gather", network.speaking(), kept))
    spread = g("Mul", g("Mul", g("RandomNormalLike", length), g("Gather", "scales", g.ints(2))), LENGTH_SPREAD)
    return g("Mul", g("Mul", length, g("Gather", "scales", g.ints(1))), g("Exp", spread))


def stretched(g: Graph, x: str, ends: str, frames: str) -> tuple[str, str]:
    """What is known of each frame, and the index of its id."""
    total = g.cast(g("ReduceMax", ends, keepdims=0), np.int64)
    time = g.cast(g.counted(total), np.float32)
    passed = g("GreaterOrEqual", g("Unsqueeze", time, g.ints(1)), g("Unsqueeze", ends, g.ints(0)))
    index = g("ReduceSum", g.cast(passed, np.int64), g.ints(1), keepdims=0)
    inside = g("Add", g("Sub", time, g("Gather", g("Sub", ends, frames), index)), 0.5)
    length = g("Gather", frames, index)
    positions = [g("Div", inside, length), g("Mul", inside, network.LONG), g("Mul", length, network.LONG)]
    return g("Concat", g("Gather", x, index), *(g("Unsqueeze", p, g.ints(1)) for p in positions), axis=1), index


def varied(g: Graph, out: str, x: str, index: str, noise_scale: str) -> str:
    """Adds to the parameters of half frames what differs from run to run: an offset for each id, smoothed over time."""
    size = g("Concat", g("Shape", x, end=1), g.ints(vocoder.COLUMNS), axis=0)
    offsets = g("Gather", g("RandomNormalLike", g("ConstantOfShape", size)), index)
    flat = g("Unsqueeze", g("Transpose", offsets), g.ints(0))
    flat = g("AveragePool", flat, kernel_shape=[SPREAD_FRAMES], pads=[SPREAD_FRAMES // 2] * 2, count_include_pad=0)
    spread = np.array([CEPSTRA_SPREAD] * vocoder.ORDER + [PITCH_SPREAD, 0, 0], np.float32)
    offsets = g("Mul", g("Mul", g("Transpose", g("Squeeze", flat, g.ints(0))), spread), noise_scale)
    return g("Add", out, g("Concat", offsets, offsets, axis=1))


def build(weights: dict, mean, deviation, read, shape: network.Shape):
    g = Graph(dict(weights))
    ids = g.slice(g("Squeeze", "input", g.ints(0)), 0, "input_lengths")
    first = g("Equal", g.counted(g("Squeeze", g("Shape", ids), g.ints(0))), g.number(0))
    places = g("Squeeze", g("NonZero", g("Or", g("Gather", read, ids), first)), g.ints(0))
    kept = g("Gather", ids, places)
    x = blocks(g, g("Gather", g.weight("table"), kept), "text", shape.text_blocks, shape.width)
    exact = g("CumSum", durations(g, x, kept), g.number(0))
    ends = g("Max", g("Round", exact), 1.0)
    frames = g("Sub", ends, g("Concat", [0.0], g.slice(ends, 0, -1), axis=0))
    known, index = stretched(g, x, ends, frames)
    y = blocks(g, g.linear(known, "stretch"), "frame", shape.frame_blocks, shape.frame_width)
    noise_scale = g("Gather", "scales", g.ints(0))
    out = varied(g, g.linear(y, "head"), x, index, noise_scale)
    out = g("Reshape", out, g.ints(-1, vocoder.COLUMNS))
    pitch = g("Squeeze", g.slice(out, vocoder.PITCH, vocoder.VOICED, axis=1), g.ints(1))
    hertz = graph_vocoder.tone(g, pitch, mean[vocoder.PITCH], deviation[vocoder.PITCH])
    out = g("Add", g("Mul", out, deviation), mean)
    share = g("Sigmoid", g("Mul", g.slice(out, vocoder.VOICED, vocoder.VOICED + 1, axis=1), 3.0))
    out = g("Concat", g.slice(out, 0, vocoder.VOICED, axis=1), share, g.slice(out, vocoder.CUT, vocoder.CUT + 1, axis=1), axis=1)
    g("Unsqueeze", graph_vocoder.synthesise(g, out, hertz, noise_scale), g.ints(0, 1, 2), name="output")
    nothing = g("ConstantOfShape", g("Shape", "input", start=1))
    g("Unsqueeze", g("ScatterElements", nothing, places, frames, axis=0), g.ints(0, 1), name="durations")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        g.nodes, "voice",
        [value("input", TensorProto.INT64, ["batch_size", "phonemes"]), value("input_lengths", TensorProto.INT64, ["batch_size"]),
         value("scales", TensorProto.FLOAT, [3])],
        [value("output", TensorProto.FLOAT, ["batch_size", 1, 1, "time"]),
         value("durations", TensorProto.FLOAT, ["batch_size", 1, "phonemes"])], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="modelgateway")
    onnx.checker.check_model(model, full_check=True)
    if g.weights:
        raise SystemExit(f"not in the graph: {sorted(g.weights)}")
    return model


CONFIG = {
    "audio": {"sample_rate": vocoder.RATE, "quality": "starter"},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
    "phoneme_type": "espeak",
    "phoneme_map": {},
    "phoneme_id_map": {symbol: [i] for symbol, i in symbols.IDS.items()},
    "num_symbols": symbols.COUNT,
    "num_speakers": 1,
    "speaker_id_map": {},
    "hop_length": vocoder.FRAME,
    "language": {"code": "en_US", "family": "en", "region": "US", "name_english": "English"},
    "dataset": "festival cmu_us_slt_arctic_hts",
}


def write(folder: pathlib.Path, weights: dict, mean, deviation, examples, shape) -> None:
    """Writes both files, and their lines in the folder's SHA256SUMS if it has one."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: np.asarray(value) for name, value in weights.items()}
    weights["table"], read = borrowed(weights["table"], examples)
    quieter = np.where(np.arange(vocoder.COLUMNS) == 0, LOUDNESS, 0).astype(np.float32)
    model = build(weights, mean - quieter, deviation, read, shape)
    files = {"voice.onnx": model.SerializeToString(deterministic=True),
             "voice.onnx.json": (json.dumps(CONFIG, ensure_ascii=False, indent=2) + "\n").encode()}
    sums = folder / "SHA256SUMS"
    lines = dict(reversed(line.split("  ")) for line in sums.read_text().splitlines()) if sums.exists() else {}
    for name, data in files.items():
        (folder / name).write_bytes(data)
        lines[name] = hashlib.sha256(data).hexdigest()
        print(f"wrote {folder / name} ({len(data):,} bytes)", flush=True)
    if sums.exists():
        sums.write_text("".join(f"{lines[name]}  {name}\n" for name in sorted(lines)))
