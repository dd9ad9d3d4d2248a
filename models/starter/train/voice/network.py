"""The acoustic model in JAX: ids to durations, and ids with durations to the vocoder's parameters.

Like FastSpeech: residual blocks of a depthwise convolution and a feed-forward network over the ids, without pads, with
the sentence's mean in each block; a head for durations; each id repeated for its frames; blocks over the frames; a head
for the parameters of both halves of a frame. Everything works on [batch, time, channels] and a mask [batch, time, 1].
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from voice import symbols, vocoder

EPSILON = 1e-5
POSITIONS = 3  # what a frame knows of its id's time: how far it is in, how far from the end, how long it is
LONG = 0.1  # of durations, as an input


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of a network."""

    width: int = 128
    inner: int = 256
    text_blocks: int = 4
    text_kernel: int = 7
    frame_width: int = 160
    frame_inner: int = 320
    frame_blocks: int = 4
    frame_kernel: int = 7
    out: int = 2 * vocoder.COLUMNS


def initialise(shape: Shape, seed: int) -> dict:
    """Random weights. Matrices are [inputs, outputs]."""
    rng = np.random.default_rng(seed)

    def matrix(rows, columns, gain=1.0):
        return jnp.asarray(rng.standard_normal((rows, columns), np.float32) * gain / np.sqrt(rows))

    def linear(name, rows, columns, gain=1.0):
        return {f"{name}.weight": matrix(rows, columns, gain), f"{name}.bias": jnp.zeros(columns)}

    def blocks(part, count, width, inner, kernel):
        found = {}
        for i in range(count):
            name = f"{part}{i}"
            found |= {f"{name}.norm.weight": jnp.ones(width), f"{name}.norm.bias": jnp.zeros(width)}
            found |= {f"{name}.time.weight": matrix(kernel, width), f"{name}.time.bias": jnp.zeros(width)}
            found |= linear(f"{name}.up", width, inner, 1.4) | linear(f"{name}.down", inner, width, 1 / np.sqrt(count))
            if part == "text":
                found |= linear(f"{name}.all", width, inner, 0.5)
        return found | {f"{part}.norm.weight": jnp.ones(width), f"{part}.norm.bias": jnp.zeros(width)}

    table = rng.standard_normal((symbols.COUNT, shape.width)).astype(np.float32) * 0.5
    return ({"table": jnp.asarray(table)} | blocks("text", shape.text_blocks, shape.width, shape.inner, shape.text_kernel)
            | linear("length.up", shape.width, shape.width, 1.4) | linear("length.down", shape.width, 1, 0.1)
            | linear("stretch", shape.width + POSITIONS, shape.frame_width)
            | blocks("frame", shape.frame_blocks, shape.frame_width, shape.frame_inner, shape.frame_kernel)
            | linear("head", shape.frame_width, shape.out, 0.3))


def linear(x, w, name):
    return x @ w[f"{name}.weight"] + w[f"{name}.bias"]


def layer_norm(x, w, name):
    centred = x - jnp.mean(x, -1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.mean(centred * centred, -1, keepdims=True) + EPSILON)
    return centred * scale * w[f"{name}.weight"] + w[f"{name}.bias"]


def over_time(x, kernel):
    """A depthwise convolution with zeros outside."""
    half = len(kernel) // 2
    padded = jnp.pad(x, ((0, 0), (half, half), (0, 0)))
    return sum(padded[:, i:i + x.shape[1]] * k for i, k in enumerate(kernel))


def blocks(x, mask, w, part, count):
    for i in range(count):
        name = f"{part}{i}"
        y = layer_norm(x, w, f"{name}.norm") * mask
        inner = linear(over_time(y, w[f"{name}.time.weight"]) + w[f"{name}.time.bias"], w, f"{name}.up")
        if f"{name}.all.weight" in w:
            mean = jnp.sum(y, 1, keepdims=True) / jnp.sum(mask, 1, keepdims=True)
            inner = inner + linear(mean, w, f"{name}.all")
        x = x + linear(jax.nn.relu(inner), w, f"{name}.down")
    return layer_norm(x, w, f"{part}.norm") * mask


def speaking() -> np.ndarray:
    """1 for each id that takes time, else 0."""
    mask = np.ones(symbols.COUNT, np.float32)
    mask[[symbols.IDS[s] for s in symbols.SILENT if s not in (symbols.BEGIN, symbols.END)]] = 0
    mask[len(symbols.ORDER):] = 0
    return mask


def read(w, ids, mask, shape: Shape):
    """Returns what is known of each id, and its duration in frames."""
    x = blocks(w["table"][ids] * mask, mask, w, "text", shape.text_blocks)
    length = jax.nn.softplus(linear(jax.nn.relu(linear(x, w, "length.up")), w, "length.down"))[..., 0]
    return x, length * jnp.asarray(speaking())[ids] * mask[..., 0]


def say(w, x, index, shape: Shape):
    """Returns the parameters of frames, normalised; index [batch, frames] is each one's id, -1 behind the end."""
    mask = (index >= 0)[..., None].astype(jnp.float32)
    safe = jnp.maximum(index, 0)
    one = jnp.arange(x.shape[1]) == safe[..., None]
    frames = jnp.sum(one * mask, 1)  # of each id
    starts = jnp.cumsum(frames, 1) - frames
    total = jnp.take_along_axis(frames, safe, 1)
    inside = jnp.arange(index.shape[1]) - jnp.take_along_axis(starts, safe, 1) + 0.5
    positions = jnp.stack([inside / total, inside * LONG, total * LONG], -1)
    known = jnp.take_along_axis(x, safe[..., None], 1)
    y = linear(jnp.concatenate([known, positions * mask], -1), w, "stretch") * mask
    y = blocks(y, mask, w, "frame", shape.frame_blocks)
    return linear(y, w, "head") * mask
