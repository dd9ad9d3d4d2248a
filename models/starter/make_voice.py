"""Makes the starter voice: voice.onnx and voice.onnx.json, in the format of Piper voices.

    python3 make_voice.py        needs the packages numpy and onnx

No data and no training: the graph is a formant synthesiser. A table gives each phoneme a length, formants, loudness
of voice and noise, and a pitch; the graph stretches that over frames, smooths it, and lets each pitch period ring
with the formants as damped sines. The interface is that of a trained voice: ids, lengths and the three scales in,
samples out, and the durations of the ids as a second output (piper1-gpl, docs/ALIGNMENTS.md).
"""

import hashlib
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
RATE, HOP = 22050, 256
SYMBOLS = 256  # as published voices have; the map uses the first 154

# The phoneme ids of every published espeak voice, in their order.
ORDER = (
    "_^$ !'(),-.:;?abcdefhijklmnopqrstuvwxyzæçðøħŋœǀǁǂǃɐɑɒɓɔɕɖɗɘəɚɛɜɞɟɠɡɢɣɤɥɦɧɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕʘʙʛʜʝʟʡʢʲ"
    "ˈˌːˑ˞βθχᵻⱱ0123456789\u0327\u0303\u032a\u032f\u0329ʰˤε↓#\"↑\u033a\u033b"
)
IDS = {symbol: [i] for i, symbol in enumerate(ORDER)}

# A phoneme's features: length in frames of 11.6 ms, formants 1 to 3 in Hz, loudness of voice and of noise, centre of
# the noise in Hz, and the part of its length that is a closure before the sound begins (stops).
FEATURES = ("length", "f1", "f2", "f3", "voice", "noise", "centre", "closed", "stress", "carry")
LENGTH, F1, F2, F3, VOICE, NOISE, CENTRE, CLOSED, STRESS, CARRY = range(len(FEATURES))


def feature(length=0, f=(500, 1500, 2500), voice=0.0, noise=0.0, centre=1500, closed=0.0, stress=0.0, carry=0.0):
    return [length, *f, voice, noise, centre, closed, stress, carry]


def table():
    """The features of every id; those without an entry are silent and take no time."""
    rows = np.array([feature()] * SYMBOLS, np.float32)

    def put(symbols, **features):
        for symbol in symbols:
            rows[IDS[symbol][0]] = feature(**features)

    # Vowels: formants of men's American English (Peterson and Barney, 1952), and neighbours between them.
    for symbols, f in {
        "i": (270, 2290, 3010), "ɪᵻ": (390, 1990, 2550), "e": (430, 2100, 2700), "ɛε": (530, 1840, 2480),
        "æ": (660, 1720, 2410), "a": (730, 1350, 2450), "ɑɒ": (730, 1090, 2440), "ɔ": (570, 840, 2410),
        "o": (450, 900, 2350), "ʊ": (440, 1020, 2240), "u": (300, 870, 2240), "ʌɐ": (640, 1190, 2390),
        "ə": (500, 1400, 2400), "ɜɚ": (490, 1350, 1690), "y": (270, 1900, 2400), "øœ": (430, 1600, 2300),
        "ɨ": (320, 1800, 2500), "ɯ": (320, 1300, 2300), "ɤ": (460, 1200, 2400), "ʉ": (310, 1500, 2300),
    }.items():
        put(symbols, length=8, f=f, voice=1.0)
    put("əᵻɐ", length=5, f=(500, 1400, 2400), voice=0.8)
    # Glides, liquids, nasals.
    put("jɥ", length=5, f=(280, 2200, 2900), voice=0.7)
    put("wʍ", length=5, f=(300, 700, 2200), voice=0.7)
    put("lɫɭʎ", length=5, f=(360, 1100, 2600), voice=0.6)
    put("ɹɻr", length=5, f=(340, 1150, 1550), voice=0.6)
    put("ɾɽ", length=3, f=(380, 1700, 2500), voice=0.4)
    put("mɱ", length=6, f=(260, 1000, 2200), voice=0.4)
    put("nɲɳ", length=6, f=(260, 1600, 2500), voice=0.4)
    put("ŋɴ", length=6, f=(260, 2100, 2600), voice=0.4)
    # Fricatives.
    put("sʂɕ", length=9, noise=0.35, centre=6500)
    put("z", length=8, f=(280, 1700, 2500), voice=0.25, noise=0.2, centre=6500)
    put("ʃ", length=9, noise=0.4, centre=3000)
    put("ʒʐʑ", length=8, f=(280, 1800, 2400), voice=0.25, noise=0.22, centre=3000)
    put("fɸ", length=8, noise=0.13, centre=4500)
    put("vβʋ", length=6, f=(300, 1100, 2300), voice=0.35, noise=0.07, centre=4500)
    put("θ", length=8, noise=0.12, centre=5500)
    put("ð", length=5, f=(320, 1500, 2500), voice=0.4, noise=0.05, centre=5500)
    put("hħʰɦ", length=5, noise=0.14, centre=1500)
    put("xχç", length=7, noise=0.25, centre=2000)
    put("ɣʁ", length=6, f=(350, 1300, 2400), voice=0.4, noise=0.1, centre=1600)
    # Stops: a closure, then a burst.
    put("p", length=8, noise=0.5, centre=900, closed=0.65)
    put("tʈ", length=8, noise=0.5, centre=4500, closed=0.65)
    put("kqc", length=8, noise=0.5, centre=2000, closed=0.65)
    put("bɓ", length=7, f=(250, 900, 2200), voice=0.5, noise=0.2, centre=900, closed=0.6)
    put("dɖɗ", length=7, f=(250, 1700, 2600), voice=0.5, noise=0.2, centre=4000, closed=0.6)
    put("ɡɢɟ", length=7, f=(250, 1900, 2300), voice=0.5, noise=0.2, centre=2000, closed=0.6)
    put("ʔ", length=3)
    # Marks: stress acts on what follows, length marks carry on what went before.
    put("ˈ", stress=1.0)
    put("ˌ", stress=0.5)
    put("ː", length=5, carry=1.0)
    put("ˑ", length=2, carry=1.0)
    # Pauses.
    put(" ", length=2)
    put(",;:-", length=18)
    put(".!?", length=10)
    put("^", length=3)
    put("$", length=6)
    return rows


class Graph:
    """Nodes and constants of an ONNX graph, named as they come."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, value, dtype=np.float32):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def __call__(self, op, *inputs, name=None, **attributes):
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        if name is None:
            self.count += 1
            name = f"n{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)


def delayed(g, x, by):
    """Rows of a matrix moved down, zeros above: a row becomes its neighbour's, `by` rows before."""
    padded = g("Pad", x, g.ints(by, 0, 0, 0))
    return g("Slice", padded, g.ints(0), g("Shape", x, end=1), g.ints(0))


def column(g, x, index):
    return g("Gather", x, g.constant(index, np.int64), axis=1)


def durations(g, rows, count):
    """Frames of each id: the table's, longer under stress, by length_scale, varied by noise_w."""
    length = g("Mul", column(g, rows, LENGTH), g("Add", 1.0, g("Mul", column(g, rows, STRESS), 0.3)))
    spread = g("Mul", g("Mul", g("RandomNormalLike", length, seed=1.0), column_scale(g, 2)), 0.15)
    length = g("Mul", g("Mul", length, column_scale(g, 1)), g("Exp", spread))
    inside = g("Less", g("Range", g.constant(0, np.int64), count, g.constant(1, np.int64)), "input_lengths")
    return g("Mul", g("Ceil", g("Sub", length, 1e-4)), g("Cast", inside, to=TensorProto.FLOAT))


def column_scale(g, index):
    return g("Gather", "scales", g.constant([index], np.int64), axis=0)


def features(g):
    """The features of each id, with what marks do to their neighbours. Pads lie between symbols: two rows a step."""
    rows = g("Gather", g.constant(table()), g("Squeeze", "input", g.ints(0)), axis=0)
    carry = g("Unsqueeze", column(g, rows, CARRY), g.ints(1))
    before = g("Mul", delayed(g, rows, 2), g("Mul", carry, np.array([[0, 1, 1, 1, 1, 1, 1, 0, 0, 0]], np.float32)))
    rows = g("Add", g("Mul", rows, g("Sub", 1.0, g("Mul", carry, [[0, 1, 1, 1, 1, 1, 1, 1, 0, 0]]))), before)
    # Stress reaches the two symbols behind its mark, itself takes no time.
    mark = g("Mul", rows, np.eye(len(FEATURES), dtype=np.float32)[STRESS][None])
    stress = g("Add", delayed(g, mark, 2), delayed(g, mark, 4))
    return g("Add", rows, g("Sub", stress, mark))


def to_frames(g, rows, frames):
    """Features and position within the phoneme, for each frame."""
    ends = g("CumSum", frames, g.constant(0, np.int64))
    total = g("Cast", g("ReduceSum", frames, keepdims=0), to=TensorProto.INT64)
    time = g("Cast", g("Range", g.constant(0, np.int64), total, g.constant(1, np.int64)), to=TensorProto.FLOAT)
    passed = g("GreaterOrEqual", g("Unsqueeze", time, g.ints(1)), g("Unsqueeze", ends, g.ints(0)))
    index = g("ReduceSum", g("Cast", passed, to=TensorProto.INT64), g.ints(1), keepdims=0)
    starts = g("Sub", ends, frames)
    position = g("Div", g("Sub", time, g("Gather", starts, index)), g("Gather", frames, index))
    values = g("Gather", rows, index, axis=0)
    opened = g("Cast", g("GreaterOrEqual", position, column(g, values, CLOSED)), to=TensorProto.FLOAT)
    return values, opened, total


def smooth(g, x, width, channels):
    """A moving weighted average over frames, of [1, channels, frames]."""
    window = np.hanning(width + 2)[1:-1]
    kernel = np.tile((window / window.sum()).astype(np.float32), (channels, 1, 1))
    padded = g("Pad", x, g.ints(0, 0, width // 2, 0, 0, width // 2), mode="edge")
    return g("Conv", padded, g.constant(kernel), group=channels)


def to_samples(g, x):
    """[1, channels, frames] → [1, channels, frames · HOP], in straight lines."""
    scales = g.constant([1, 1, HOP])
    return g("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")


def row(g, x, index):
    """One channel of [1, channels, samples], as [samples]."""
    return g("Squeeze", g("Slice", x, g.ints(index), g.ints(index + 1), g.ints(1)), g.ints(0, 1))


def cycles(g, hertz):
    """How many cycles an oscillator of a changing frequency has made; the fraction of one."""
    turned = g("CumSum", g("Cast", g("Div", hertz, float(RATE)), to=TensorProto.DOUBLE), g.constant(0, np.int64))
    whole = g("Floor", turned)
    return g("Cast", g("Sub", turned, whole), to=TensorProto.FLOAT)


def pitch(g, stress, total):
    """The melody in Hz: falling over the sentence, higher under stress, rising at the end of a question."""
    count = g("Cast", g("Mul", total, g.constant(HOP, np.int64)), to=TensorProto.FLOAT)
    at = g("Div", g("Cast", g("Range", g.constant(0, np.int64), g("Mul", total, g.constant(HOP, np.int64)),
                              g.constant(1, np.int64)), to=TensorProto.FLOAT), count)
    question = g("Cast", g("Equal", "input", g.constant(IDS["?"], np.int64)), to=TensorProto.FLOAT)
    rise = g("Mul", g("ReduceMax", question, keepdims=0), g("Relu", g("Sub", at, 0.75)))
    line = g("Add", g("Sub", 1.1, g("Mul", at, 0.25)), g("Mul", rise, 2.2))
    return g("Mul", g("Mul", g("Add", line, g("Mul", stress, 0.18)), 118.0), 1.0)


def voiced(g, samples, hertz):
    """Each period rings anew with damped sines at the formants, as after a closing of the glottis."""
    seconds = g("Div", cycles(g, hertz), hertz)
    parts = []
    for channel, bandwidth, loudness in ((F1, 70, 1.0), (F2, 95, 0.6), (F3, 140, 0.3)):
        ring = g("Sin", g("Mul", g("Mul", row(g, samples, channel), seconds), float(2 * np.pi)))
        fade = g("Exp", g("Mul", seconds, float(-np.pi * bandwidth)))
        parts.append(g("Mul", g("Mul", ring, fade), loudness))
    return g("Sum", *parts)


def hissing(g, samples):
    """Noise in a band around a centre: slow noise that turns an oscillator's loudness up and down. It is the same in
    every run; noise_scale adds some that is not."""
    raw = np.random.default_rng(3).standard_normal(1 << 14 | 1)
    wide = np.convolve(np.tile(raw, 2), np.hanning(10)[1:-1], "same")[: len(raw)]
    stored = g.constant((wide / wide.std()).astype(np.float16), np.float16)
    centre = row(g, samples, CENTRE)
    at = g("Mod", g("Range", g.constant(0, np.int64), g("Squeeze", g("Shape", centre), g.ints(0)),
                    g.constant(1, np.int64)), g.constant(len(raw), np.int64))
    fixed = g("Cast", g("Gather", stored, at), to=TensorProto.FLOAT)
    random = g("Mul", g("Mul", g("RandomNormalLike", centre, seed=2.0), column_scale(g, 0)), 0.5)
    turn = g("Sin", g("Mul", cycles(g, centre), float(2 * np.pi)))
    return g("Mul", g("Add", fixed, random), turn)


def build():
    g = Graph()
    rows = features(g)
    count = g("Squeeze", g("Shape", "input", start=1), g.ints(0))
    frames = durations(g, rows, count)
    values, opened, total = to_frames(g, rows, frames)
    channels = len(FEATURES)
    # Formants glide from phoneme to phoneme; loudness follows faster, so that bursts stay bursts.
    slow = to_samples(g, smooth(g, g("Unsqueeze", g("Transpose", values), g.ints(0)), 7, channels))
    loud = g("Mul", g("Gather", values, g.ints(VOICE, NOISE), axis=1), g("Unsqueeze", opened, g.ints(1)))
    loud = to_samples(g, smooth(g, g("Unsqueeze", g("Transpose", loud), g.ints(0)), 3, 2))
    hertz = pitch(g, row(g, slow, STRESS), total)
    sound = g("Add", g("Mul", voiced(g, slow, hertz), row(g, loud, 0)), g("Mul", hissing(g, slow), row(g, loud, 1)))
    g("Unsqueeze", g("Tanh", g("Mul", sound, 0.7)), g.ints(0, 1, 2), name="output")
    g("Unsqueeze", frames, g.ints(0, 1), name="durations")

    def value(name, kind, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        g.nodes, "voice",
        [value("input", TensorProto.INT64, ["batch_size", "phonemes"]),
         value("input_lengths", TensorProto.INT64, ["batch_size"]), value("scales", TensorProto.FLOAT, [3])],
        [value("output", TensorProto.FLOAT, ["batch_size", 1, 1, "time"]),
         value("durations", TensorProto.FLOAT, ["batch_size", 1, "phonemes"])],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8, producer_name="make_voice.py")
    onnx.checker.check_model(model, full_check=True)
    return model


CONFIG = {
    "audio": {"sample_rate": RATE, "quality": "starter"},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
    "phoneme_type": "espeak",
    "phoneme_map": {},
    "phoneme_id_map": IDS,
    "num_symbols": SYMBOLS,
    "num_speakers": 1,
    "speaker_id_map": {},
    "hop_length": HOP,
    "language": {"code": "en_US", "family": "en", "region": "US", "name_english": "English"},
    "dataset": "none",
}


def main():
    (HERE / "voice.onnx").write_bytes(build().SerializeToString(deterministic=True))
    text = json.dumps(CONFIG, ensure_ascii=False, indent=2)
    (HERE / "voice.onnx.json").write_text(text + "\n", encoding="utf-8")
    sums = {}
    for line in (HERE / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        sums[name] = digest
    for name in ("voice.onnx", "voice.onnx.json"):
        data = (HERE / name).read_bytes()
        sums[name] = hashlib.sha256(data).hexdigest()
        print(f"{name}: {len(data)} bytes")
    (HERE / "SHA256SUMS").write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))


if __name__ == "__main__":
    main()
