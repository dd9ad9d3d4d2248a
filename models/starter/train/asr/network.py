"""Whisper's architecture in JAX, with the names and shapes of its published files: matrices are [outputs, inputs].

Training uses only the tokens of its texts, not all 51,864: `logits` works on a part of the token table, and
`full_weights` makes the complete table, in which the other tokens can never win. The encoder also has a CTC head, for
training only: attention learns faster if the encoder already knows letters.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from products import linear

VOCABULARY = 51864
FRAMES = 1500  # positions of the encoder, of 20 ms
CONTEXT = 448  # positions of the decoder
PADDING = 36  # whisper.cpp's flash attention pads a window's keys and values with zeros to 1,536, and looks at them, too
EPSILON = 1e-5
# One channel of the decoder's output is the same for all; only tokens that are not used look at it.
CONSTANT, NEVER = 16.0, -2.0
SYMBOLS = "-'ABCDEFGHIJKLMNOPQRSTUVWXYZ "  # of the CTC head; the first is the blank
NEAR = (-3.0, -1.0, 1.0, 3.0)  # where the heads of the encoder look at first, in frames
NEARNESS = 1.4


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes, as in make_whisper.py."""

    width: int = 192
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 3  # two would be a distilled model without times for whisper.cpp
    mels: int = 80


def sinusoids(length: int, width: int) -> np.ndarray:
    rates = np.exp(-np.log(10000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(length)[:, None] * rates[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def looking_near(width: int, heads: int, offset: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Query and key matrices of heads that look some frames away: a network of random ones takes long to find neighbours.

    A product of the positions' sines and cosines, the queries' turned by an offset, is greatest at that distance.
    """
    half, size = width // 2, width // heads
    rates = np.exp(-np.log(10000) / (half - 1) * np.arange(half))
    query, key = (0.02 * rng.standard_normal((width, width)).astype(np.float32) for _ in range(2))
    for head in range(heads):
        for pair in range(size // 2):
            row, wave = head * size + 2 * pair, 2 * pair
            turn = rates[wave] * NEAR[head % len(NEAR)] * offset
            key[row, wave] += NEARNESS
            key[row + 1, half + wave] += NEARNESS
            query[row, [wave, half + wave]] += NEARNESS * np.array([np.cos(turn), np.sin(turn)])
            query[row + 1, [half + wave, wave]] += NEARNESS * np.array([np.cos(turn), -np.sin(turn)])
    return query, key


def initialise(shape: Shape, tokens: int, seed: int) -> dict:
    """Random weights; the token table has `tokens` rows."""
    rng, d, w = np.random.default_rng(seed), shape.width, {}
    deep = 1 / np.sqrt(2 * max(shape.encoder_layers, shape.decoder_layers))

    def normal(*size, fan, gain=1.0):
        return jnp.asarray(rng.standard_normal(size, np.float32) * gain / np.sqrt(fan))

    def norm(name):
        w[f"{name}.weight"], w[f"{name}.bias"] = jnp.ones(d), jnp.zeros(d)

    def attention(name):
        for part in ("query", "key", "value", "out"):
            w[f"{name}.{part}.weight"] = normal(d, d, fan=d, gain=deep if part == "out" else 1)
            if part != "key":
                w[f"{name}.{part}.bias"] = jnp.zeros(d)

    def block(name, crossed):
        for part in ["attn"] + ["cross_attn"] * crossed:
            norm(f"{name}.{part}_ln")
            attention(f"{name}.{part}")
        norm(f"{name}.mlp_ln")
        w[f"{name}.mlp.0.weight"], w[f"{name}.mlp.0.bias"] = normal(4 * d, d, fan=d, gain=1.4), jnp.zeros(4 * d)
        w[f"{name}.mlp.2.weight"], w[f"{name}.mlp.2.bias"] = normal(d, 4 * d, fan=4 * d, gain=deep), jnp.zeros(d)

    w["encoder.conv1.weight"], w["encoder.conv1.bias"] = normal(d, shape.mels, 3, fan=3 * shape.mels, gain=1.4), jnp.zeros((d, 1))
    w["encoder.conv2.weight"], w["encoder.conv2.bias"] = normal(d, d, 3, fan=3 * d, gain=1.0), jnp.zeros((d, 1))
    for i in range(shape.encoder_layers):
        block(f"encoder.blocks.{i}", False)
        near = looking_near(d, shape.heads, 1 + i, rng)
        w[f"encoder.blocks.{i}.attn.query.weight"], w[f"encoder.blocks.{i}.attn.key.weight"] = map(jnp.asarray, near)
    norm("encoder.ln_post")
    for i in range(shape.decoder_layers):
        block(f"decoder.blocks.{i}", True)
    norm("decoder.ln")
    w["decoder.token_embedding.weight"] = normal(tokens, d, fan=d)
    w["decoder.positional_embedding"] = jnp.asarray(0.05 * sinusoids(CONTEXT, d))
    w["letters.weight"], w["letters.bias"] = normal(len(SYMBOLS), d, fan=d, gain=0.3), jnp.zeros(len(SYMBOLS))
    return w


def _norm(x, w, name):
    mean = jnp.mean(x, -1, keepdims=True)
    centred = x - mean
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, -1, keepdims=True) + EPSILON) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _linear(x, w, name):
    y = linear(x, w[f"{name}.weight"])
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def _attention(x, memory, w, name, heads, mask=None):
    """Returns the mixed values and how the heads look: [batch, heads, queries, keys]."""
    split = lambda y: y.reshape(y.shape[0], y.shape[1], heads, -1).transpose(0, 2, 1, 3)
    query, key, value = (split(_linear(y, w, f"{name}.{part}")) for y, part in ((x, "query"), (memory, "key"), (memory, "value")))
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
    if mask is not None:
        scores = jnp.where(mask, scores, -1e30)
        looks = jax.nn.softmax(scores, -1)
    else:  # the zeros' scores are 0, and together they weigh as one whose score is log(PADDING)
        greatest = jax.lax.stop_gradient(jnp.maximum(scores.max(-1, keepdims=True), 0))
        weights = jnp.exp(scores - greatest)
        looks = weights / (weights.sum(-1, keepdims=True) + PADDING * jnp.exp(-greatest))
    mixed = (looks @ value).transpose(0, 2, 1, 3)
    return _linear(mixed.reshape(x.shape), w, f"{name}.out"), looks


def _feed_forward(x, w, name):
    """ggml, too, computes GELU with tanh."""
    y = jax.nn.gelu(_linear(_norm(x, w, f"{name}.mlp_ln"), w, f"{name}.mlp.0"), approximate=True)
    return x + _linear(y, w, f"{name}.mlp.2")


def _convolved(x, w, name, stride):
    """A convolution of three positions as one product: [batch, frames, channels]."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
    frames = x.shape[1] // stride
    taps = jnp.concatenate([padded[:, k:k + stride * (frames - 1) + 1:stride] for k in range(3)], -1)
    weight = w[f"{name}.weight"].transpose(0, 2, 1).reshape(w[f"{name}.weight"].shape[0], -1)
    return jax.nn.gelu(linear(taps, weight) + w[f"{name}.bias"][:, 0], approximate=True)


def encode(w, mel, begins, shape: Shape):
    """[batch, frames of 10 ms, mels] to [batch, frames // 2, width]; begins are the rows' first positions in a window."""
    x = _convolved(_convolved(mel, w, "encoder.conv1", 1), w, "encoder.conv2", 2)
    x = x + jnp.asarray(sinusoids(FRAMES, shape.width))[begins[:, None] + jnp.arange(x.shape[1])]
    for i in range(shape.encoder_layers):
        name = f"encoder.blocks.{i}"
        y = _norm(x, w, f"{name}.attn_ln")
        x = _feed_forward(x + _attention(y, y, w, f"{name}.attn", shape.heads)[0], w, name)
    return _norm(x, w, "encoder.ln_post")


def letters(w, memory):
    """The CTC head's logits of the encoder's output."""
    return _linear(memory, w, "letters")


def logits(w, memory, tokens, begins, shape: Shape):
    """Next-token logits [batch, time, rows of the table], and how the first heads of all layers look at the memory.

    begins are the positions of the rows' first tokens.
    """
    mask = jnp.tril(jnp.ones((tokens.shape[1],) * 2, bool))
    table = w["decoder.token_embedding.weight"].at[:, 0].set(0)
    x = table[tokens] + w["decoder.positional_embedding"][begins[:, None] + jnp.arange(tokens.shape[1])]
    looks = []
    for i in range(shape.decoder_layers):
        name = f"decoder.blocks.{i}"
        y = _norm(x, w, f"{name}.attn_ln")
        x = x + _attention(y, y, w, f"{name}.attn", shape.heads, mask)[0]
        mixed, look = _attention(_norm(x, w, f"{name}.cross_attn_ln"), memory, w, f"{name}.cross_attn", shape.heads)
        x = _feed_forward(x + mixed, w, name)
        looks.append(look[:, 0])
    return _norm(x, w, "decoder.ln") @ table.T, jnp.stack(looks, 1)


def full_weights(w: dict, ids: list[int], shape: Shape) -> dict[str, np.ndarray]:
    """All tensors of a file, of weights whose token table has the rows of ids."""
    out = {name: np.array(value) for name, value in w.items() if not name.startswith("letters.")}
    words = out["decoder.token_embedding.weight"][:sum(i < 50256 for i in ids)]
    table = np.tile(words.mean(0), (VOCABULARY, 1))  # in a prompt, unknown words look like any word
    table[:, 0] = NEVER
    table[ids] = out["decoder.token_embedding.weight"]
    out["decoder.ln.weight"][0], out["decoder.ln.bias"][0] = 0, CONSTANT
    table[ids, 0] = 0
    out["decoder.token_embedding.weight"] = table
    out["encoder.positional_embedding"] = sinusoids(FRAMES, shape.width)
    return out


def part_of(full: dict[str, np.ndarray], ids: list[int]) -> dict:
    """The weights whose full_weights a file has, but for what it does not."""
    w = {name: jnp.asarray(value) for name, value in full.items() if name != "encoder.positional_embedding"}
    w["decoder.token_embedding.weight"] = w["decoder.token_embedding.weight"][np.array(ids)]
    w["decoder.ln.weight"], w["decoder.ln.bias"] = w["decoder.ln.weight"].at[0].set(1), w["decoder.ln.bias"].at[0].set(0)
    return w
