"""A convolutional CTC encoder in JAX. Activations are [batch, frames, channels], float32.

80 log-mel bands per 10 ms (speech/features.py) go through a convolution. Four of them are joined to a frame of 40 ms,
which goes through residual blocks of a depthwise convolution over time and a network for each frame. The head outputs
the symbols of both halves, that is for each 20 ms. A frame sees about 0.6 s on either side: enough for a word, but not
for guessing it from its sentence.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from products import times

# The order of the published vocabulary; <pad> is the CTC blank, | the boundary of words.
SYMBOLS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of a network."""

    bands: int = 80
    stem: int = 96
    stack: int = 4  # mel frames in a frame of the blocks
    width: int = 256
    inner: int = 768
    blocks: int = 7
    kernel: int = 5
    symbols: int = len(SYMBOLS)


def initialise(shape: Shape, seed: int) -> dict:
    """Random weights. Matrices are [inputs, outputs]."""
    rng = np.random.default_rng(seed)

    def matrix(rows, columns, gain=1.0):
        return jnp.asarray(rng.standard_normal((rows, columns), np.float32) * gain / np.sqrt(rows))

    def norm(name, size):
        return {f"{name}.weight": jnp.ones(size), f"{name}.bias": jnp.zeros(size)}

    weights = {"stem.weight": matrix(3 * shape.bands, shape.stem, 1.4), "stem.bias": jnp.zeros(shape.stem),
               "stack.weight": matrix(shape.stack * shape.stem, shape.width, 1.4), "stack.bias": jnp.zeros(shape.width)}
    for i in range(shape.blocks):
        kernel = rng.standard_normal((shape.kernel, shape.width)).astype(np.float32) / np.sqrt(shape.kernel)
        weights |= norm(f"block{i}.norm", shape.width) | {
            f"block{i}.time.weight": jnp.asarray(kernel), f"block{i}.time.bias": jnp.zeros(shape.width),
            f"block{i}.up.weight": matrix(shape.width, shape.inner, 1.4), f"block{i}.up.bias": jnp.zeros(shape.inner),
            f"block{i}.down.weight": matrix(shape.inner, shape.width, 1 / np.sqrt(shape.blocks)),
            f"block{i}.down.bias": jnp.zeros(shape.width)}
    return weights | norm("last.norm", shape.width) | {
        "head.weight": matrix(shape.width, shape.stack // 2 * shape.symbols, 0.3),
        "head.bias": jnp.zeros(shape.stack // 2 * shape.symbols)}


def layer_norm(x, w, name):
    mean = jnp.mean(x, -1, keepdims=True)
    centred = x - mean
    scale = jax.lax.rsqrt(jnp.mean(centred * centred, -1, keepdims=True) + EPSILON)
    return centred * scale * w[f"{name}.weight"] + w[f"{name}.bias"]


def shifted(x, size):
    """Returns x moved in time by -(size // 2) to size // 2, with zeros from outside."""
    padded = jnp.pad(x, ((0, 0), (size // 2, size // 2), (0, 0)))
    return [padded[:, i:i + x.shape[1]] for i in range(size)]


@jax.custom_vjp
def over_time(x, kernel):
    """A depthwise convolution over time; kernel is [size, channels]."""
    return sum(s * k for s, k in zip(shifted(x, len(kernel)), kernel))


def over_time_backward(saved, gradient):
    # What JAX derives by itself takes twice as long.
    x, kernel = saved
    by_kernel = jnp.stack([jnp.sum(s * gradient, (0, 1)) for s in shifted(x, len(kernel))])
    return over_time(gradient, kernel[::-1]), by_kernel


over_time.defvjp(lambda x, kernel: (over_time(x, kernel), (x, kernel)), over_time_backward)


def logits(w, mel, shape: Shape, product=times):
    """Returns [batch, frames // 2, symbols] of log-mel spectra [batch, frames, bands].

    product is of [rows, k] and [k, n]; what is exported computes jnp.matmul's.
    """
    def linear(x, name):
        y = product(x.reshape(-1, x.shape[-1]), w[f"{name}.weight"])
        return y.reshape(*x.shape[:-1], -1) + w[f"{name}.bias"]

    batch, frames, _ = mel.shape
    x = jax.nn.relu(linear(jnp.concatenate(shifted(mel, 3), -1), "stem"))
    x = jnp.pad(x, ((0, 0), (0, -frames % shape.stack), (0, 0))).reshape(batch, -1, shape.stack * shape.stem)
    x = linear(x, "stack")
    for i in range(shape.blocks):
        y = over_time(layer_norm(x, w, f"block{i}.norm"), w[f"block{i}.time.weight"]) + w[f"block{i}.time.bias"]
        x = x + linear(jax.nn.relu(linear(y, f"block{i}.up")), f"block{i}.down")
    x = linear(layer_norm(x, w, "last.norm"), "head")
    return x.reshape(batch, -1, shape.symbols)[:, :frames // 2]
