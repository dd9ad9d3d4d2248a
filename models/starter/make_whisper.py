"""Writes whisper ggml files in the published format with random weights, for measurements and tests.

whisper.cpp can read the files. The weights are seeded noise, arranged so that decoding produces words, times and ends
of segments like a trained model. The text is nonsense. The starter model whisper.bin is trained by
train/train_whisper.py, which writes its file with write_model.

Usage, from this folder:

    python3 -m venv .venv && .venv/bin/pip install numpy
    .venv/bin/python make_whisper.py --size base.en --type f16 --out /tmp/ggml-base.en-random.bin

The vocabulary is that of whisper.bin. It comes from gpt2.tiktoken of OpenAI's Whisper (MIT licence), which the package
mlx-whisper 0.4.3 contains (mlx_whisper/assets). --vocabulary reads another such file.
"""

import argparse
import base64
import dataclasses
import hashlib
import os
import pathlib
import struct
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent

MAGIC = 0x67676D6C
FRAMES = 1500  # audio positions of a 30 s window
CONTEXT = 448  # text positions
FFT_BINS = 201
END_OF_TEXT = 50256  # ids of the English vocabulary
START = 50257
FIRST_TIME = 50363
VOCABULARY = 51864
QUANTISATION_VERSION = 2
BLOCK = 32  # numbers that share a scale in the quantised types
Q5_1 = np.dtype([("d", "<f2"), ("m", "<f2"), ("h", "<u4"), ("q", "u1", BLOCK // 2)])

# name -> (type of the file, type of a tensor)
TYPES = {"f32": (0, 0), "f16": (1, 1), "q5_1": (9, 7), "q8_0": (7, 8)}


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of a model."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mels: int = 80


SIZES = {
    # Two decoder layers would make whisper.cpp take it for a distilled model without times.
    "least": Shape(width=64, heads=1, encoder_layers=2, decoder_layers=3),
    "tiny.en": Shape(width=384, heads=6, encoder_layers=4, decoder_layers=4),
    "base.en": Shape(width=512, heads=8, encoder_layers=6, decoder_layers=6),
    "small.en": Shape(width=768, heads=12, encoder_layers=12, decoder_layers=12),
}


def vocabulary_of(path: pathlib.Path) -> list[bytes]:
    """Reads the tokens of a whisper.cpp file."""
    with path.open("rb") as file:
        return _vocabulary(file)


def _vocabulary(file) -> list[bytes]:
    """Reads up to the tensors: behind the magic and 11 numbers come the mel filters, then the tokens."""
    file.seek(4 + 11 * 4)
    mels, bins = struct.unpack("<2i", file.read(8))
    file.seek(4 * mels * bins, os.SEEK_CUR)
    (count,) = struct.unpack("<i", file.read(4))
    return [file.read(struct.unpack("<i", file.read(4))[0]) for _ in range(count)]


def read_vocabulary(path: pathlib.Path) -> list[bytes]:
    """Returns the tokens of the text, in the order of their ids."""
    ranks = (line.split() for line in path.read_bytes().splitlines() if line)
    tokens = {int(rank): base64.b64decode(token) for token, rank in ranks}
    return [tokens[i] for i in range(END_OF_TEXT)]


def mel_filters(mels: int, rate: int = 16000, fft: int = 400) -> np.ndarray:
    """Triangular filters on Slaney's mel scale, each of unit area: what Whisper was trained with."""

    def to_mel(hertz):
        linear = hertz / (200 / 3)
        return np.where(hertz >= 1000, 15 + np.log(np.maximum(hertz, 1) / 1000) / (np.log(6.4) / 27), linear)

    def to_hertz(mel):
        return np.where(mel >= 15, 1000 * np.exp((mel - 15) * np.log(6.4) / 27), mel * 200 / 3)

    bins = np.linspace(0, rate / 2, fft // 2 + 1)
    edges = to_hertz(np.linspace(0, to_mel(np.float64(rate / 2)), mels + 2))
    width = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising = -ramps[:-2] / width[:-1, None]
    falling = ramps[2:] / width[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    return (filters * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def sinusoids(length: int, width: int) -> np.ndarray:
    """The encoder's positions."""
    rates = np.exp(-np.log(10000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(length)[:, None] * rates[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def random_weights(shape: Shape, seed: int) -> dict[str, np.ndarray]:
    """Makes all tensors of a model, by their names in the file."""
    rng = np.random.default_rng(seed)
    d = shape.width
    weights: dict[str, np.ndarray] = {}

    def matrix(name, rows, columns, gain=1.0):
        weights[name] = rng.normal(0, gain / np.sqrt(columns), (rows, columns)).astype(np.float32)

    def norm(name, gain=1.0):
        weights[name + ".weight"] = np.full(d, gain, np.float32)
        weights[name + ".bias"] = np.zeros(d, np.float32)

    def bias(name, size):
        weights[name] = rng.normal(0, 0.02, size).astype(np.float32)

    def attention(prefix, gain):
        for part in ("query", "key", "value", "out"):
            matrix(f"{prefix}.{part}.weight", d, d, gain if part in ("value", "out") else 1.5)
            if part != "key":
                bias(f"{prefix}.{part}.bias", d)

    def block(prefix, crossed):
        norm(prefix + ".attn_ln")
        attention(prefix + ".attn", 0.5)
        if crossed:
            norm(prefix + ".cross_attn_ln")
            attention(prefix + ".cross_attn", 0.9)
        norm(prefix + ".mlp_ln")
        matrix(prefix + ".mlp.0.weight", 4 * d, d)
        bias(prefix + ".mlp.0.bias", 4 * d)
        matrix(prefix + ".mlp.2.weight", d, 4 * d, 0.5)
        bias(prefix + ".mlp.2.bias", d)

    weights["encoder.conv1.weight"] = rng.normal(0, 1 / np.sqrt(3 * shape.mels), (d, shape.mels, 3)).astype(np.float32)
    weights["encoder.conv1.bias"] = np.zeros((d, 1), np.float32)
    weights["encoder.conv2.weight"] = rng.normal(0, 2 / np.sqrt(3 * d), (d, d, 3)).astype(np.float32)
    weights["encoder.conv2.bias"] = np.zeros((d, 1), np.float32)
    weights["encoder.positional_embedding"] = sinusoids(FRAMES, d) * np.float32(0.3)
    for i in range(shape.encoder_layers):
        block(f"encoder.blocks.{i}", crossed=False)
    norm("encoder.ln_post")

    for i in range(shape.decoder_layers):
        block(f"decoder.blocks.{i}", crossed=True)
    tokens, positions = decoder_tables(d, rng)
    weights["decoder.token_embedding.weight"] = tokens
    weights["decoder.positional_embedding"] = positions
    norm("decoder.ln", gain=6.0)
    return weights


def decoder_tables(width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Token and position tables that make a sentence's course likely: words, now and then a time, in the end an end.

    Coordinate 0 is what times point along, coordinate 1 what the end of the text points along; the positions' tables
    raise the first now and then, and the second until it ends a window. Logits are products with the token table.
    """
    scale = 1 / np.sqrt(width)
    tokens = rng.normal(0, scale, (VOCABULARY, width))
    tokens[:, :2] = 0
    times = np.arange(VOCABULARY - FIRST_TIME) / FRAMES
    tokens[FIRST_TIME:] *= 0.8
    tokens[FIRST_TIME:, 0] = 1.0 - 0.8 * times  # an early time before a late one
    tokens[END_OF_TEXT, 1] = 2.2
    positions = rng.normal(0, 4 * scale, (CONTEXT, width))
    step = np.arange(CONTEXT)
    positions[:, 0] = np.where(step % 8 < 2, 8.0, -1.0)
    positions[:, 1] = step % 48 / 6 - 3
    return tokens.astype(np.float32), positions.astype(np.float32)


def encode(data: np.ndarray, kind: str) -> bytes:
    """Lays a matrix out as a ggml type."""
    if kind == "f32":
        return data.astype("<f4").tobytes()
    if kind == "f16":
        return data.astype("<f2").tobytes()
    blocks = data.astype(np.float32).reshape(-1, BLOCK)
    if kind == "q8_0":
        scale = (np.abs(blocks).max(axis=1) / 127).astype(np.float16)
        inverse = np.divide(1, scale.astype(np.float32), out=np.zeros(len(blocks), np.float32), where=scale != 0)
        out = np.zeros(len(blocks), dtype=[("d", "<f2"), ("q", "i1", BLOCK)])
        out["d"], out["q"] = scale, np.clip(np.rint(blocks * inverse[:, None]), -127, 127)
        return out.tobytes()
    # q5_1: scale, minimum, the fifth bits of all numbers, and the lower four of two numbers in each byte
    least = blocks.min(axis=1).astype(np.float16)
    scale = ((blocks.max(axis=1) - least) / 31).astype(np.float16)
    inverse = np.divide(1, scale.astype(np.float32), out=np.zeros(len(blocks), np.float32), where=scale != 0)
    q = np.clip(np.rint((blocks - least.astype(np.float32)[:, None]) * inverse[:, None]), 0, 31).astype(np.uint8)
    out = np.zeros(len(blocks), Q5_1)
    out["d"], out["m"] = scale, least
    out["h"] = ((q >> 4).astype(np.uint32) << np.arange(BLOCK, dtype=np.uint32)).sum(axis=1, dtype=np.uint32)
    out["q"] = (q[:, : BLOCK // 2] & 15) | ((q[:, BLOCK // 2 :] & 15) << 4)
    return out.tobytes()


def decode(data: bytes, kind: str) -> np.ndarray:
    """Reads what encode wrote: a flat array of float32."""
    if kind in ("f32", "f16"):
        return np.frombuffer(data, "<f4" if kind == "f32" else "<f2").astype(np.float32)
    if kind == "q8_0":
        blocks = np.frombuffer(data, [("d", "<f2"), ("q", "i1", BLOCK)])
        return (blocks["d"].astype(np.float32)[:, None] * blocks["q"]).reshape(-1)
    blocks = np.frombuffer(data, Q5_1)
    fifth = (blocks["h"][:, None] >> np.arange(BLOCK, dtype=np.uint32) & 1) << 4
    q = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1) | fifth
    return (blocks["d"].astype(np.float32)[:, None] * q + blocks["m"].astype(np.float32)[:, None]).reshape(-1)


def tensor_type(name: str, data: np.ndarray, kind: str) -> str:
    """The matrices have the file's type; convolutions never less than 16 bits; all else is in 32-bit floats."""
    if data.ndim < 2 or "positional" in name or name.endswith("bias"):
        return "f32"
    if data.ndim == 3:
        return "f32" if kind == "f32" else "f16"
    return kind


def write_model(path: pathlib.Path, shape: Shape, tokens: list[bytes], weights: dict[str, np.ndarray], kind: str) -> None:
    """Writes the file as whisper.cpp's converter does: header, mel filters, vocabulary, tensors."""
    version = QUANTISATION_VERSION * 1000 if kind.startswith("q") else 0
    filters = mel_filters(shape.mels)
    with path.open("wb") as out:
        out.write(struct.pack("<I11i", MAGIC, VOCABULARY, FRAMES, shape.width, shape.heads, shape.encoder_layers,
                              CONTEXT, shape.width, shape.heads, shape.decoder_layers, shape.mels,
                              TYPES[kind][0] + version))
        out.write(struct.pack("<2i", *filters.shape) + filters.astype("<f4").tobytes())
        out.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            out.write(struct.pack("<i", len(token)) + token)
        for name, data in weights.items():
            own = tensor_type(name, data, kind)
            encoded = name.encode()
            out.write(struct.pack("<3i", data.ndim, len(encoded), TYPES[own][1]))
            out.write(struct.pack(f"<{data.ndim}i", *reversed(data.shape)) + encoded + encode(data, own))


def read_model(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a file of write_model's, by name, in float32."""
    weights, kinds = {}, {number: kind for kind, (_, number) in TYPES.items()}
    sizes = {"f32": 4, "f16": 2, "q5_1": Q5_1.itemsize / BLOCK, "q8_0": 34 / BLOCK}
    with path.open("rb") as file:
        _vocabulary(file)
        while head := file.read(12):
            dimensions, length, number = struct.unpack("<3i", head)
            shape = struct.unpack(f"<{dimensions}i", file.read(4 * dimensions))[::-1]
            name, kind = file.read(length).decode(), kinds[number]
            weights[name] = decode(file.read(int(np.prod(shape) * sizes[kind])), kind).reshape(shape)
    return weights


def write_sum(path: pathlib.Path) -> None:
    """Puts the file's line into SHA256SUMS beside it, sorted by name."""
    sums = path.parent / "SHA256SUMS"
    lines = {line.split("  ")[1]: line for line in (sums.read_text().splitlines() if sums.exists() else [])}
    lines[path.name] = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
    sums.write_text("".join(lines[name] + "\n" for name in sorted(lines)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="least")
    parser.add_argument("--type", choices=TYPES, default="q5_1", help="type of the matrices")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--vocabulary", type=pathlib.Path, help="a gpt2.tiktoken to use as vocabulary")
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()

    shape = SIZES[args.size]
    weights = random_weights(shape, args.seed)
    tokens = read_vocabulary(args.vocabulary) if args.vocabulary else vocabulary_of(HERE / "whisper.bin")
    write_model(args.out, shape, tokens, weights, args.type)
    print(f"wrote {args.out}: {sum(w.size for w in weights.values()):,} parameters, {args.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
