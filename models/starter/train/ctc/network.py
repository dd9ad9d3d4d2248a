"""A convolutional CTC encoder in JAX. Activations are [batch, frames, channels], float32.

80 log-mel bands each 10 ms (speech/features.py) go through a convolution, then in pairs into frames of 20 ms, then
through residual blocks of a depthwise convolution over time and a network of each frame. A frame sees REACH frames on
either side: enough for a word, little for guessing it from its sentence.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

# The order of the published vocabulary; <pad> is the CTC blank, | the boundary of words.
SYMBOLS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of a network."""

    bands: int = 80
    stem: int = 96
    width: int = 160
    inner: int = 384
    blocks: int = 7
    kernel: int = 9
    symbols: int = len(SYMBOLS)

    def reach(self) -> int:
        return self.blocks * (self.kernel // 2)


def initialise(shape: Shape, seed: int) -> dict:
    """Random weights. Matrices are [inputs, outputs]."""
    rng = np.random.default_rng(seed)

    def matrix(rows, columns, gain=1.0):
        return jnp.asarray(rng.standard_normal((rows, columns), np.float32) * gain / np.sqrt(rows))

    def norm(name, size):
        return {f"{name}.weight": jnp.ones(size), f"{name}.bias": jnp.zeros(size)}

    weights = {"stem.weight": matrix(3 * shape.bands, shape.stem, 1.4), "stem.bias": jnp.zeros(shape.stem),
               "pair.weight": matrix(2 * shape.stem, shape.width, 1.4), "pair.bias": jnp.zeros(shape.width)}
    for i in range(shape.blocks):
        kernel = rng.standard_normal((shape.kernel, shape.width)).astype(np.float32) / np.sqrt(shape.kernel)
        weights |= norm(f"block{i}.norm", shape.width) | {
            f"block{i}.time.weight": jnp.asarray(kernel), f"block{i}.time.bias": jnp.zeros(shape.width),
            f"block{i}.up.weight": matrix(shape.width, shape.inner, 1.4), f"block{i}.up.bias": jnp.zeros(shape.inner),
            f"block{i}.down.weight": matrix(shape.inner, shape.width, 1 / np.sqrt(shape.blocks)),
            f"block{i}.down.bias": jnp.zeros(shape.width)}
    return weights | norm("last.norm", shape.width) | {
        "head.weight": matrix(shape.width, shape.symbols, 0.3), "head.bias": jnp.zeros(shape.symbols)}


def layer_norm(x, w, name):
    mean = jnp.mean(x, -1, keepdims=True)
    centred = x - mean
    scale = jax.lax.rsqrt(jnp.mean(centred * centred, -1, keepdims=True) + EPSILON)
    return centred * scale * w[f"{name}.weight"] + w[f"{name}.bias"]


def shifted(x, offsets):
    """Yields x moved in time, with zeros from outside, for each offset."""
    edge = max(abs(o) for o in offsets)
    padded = jnp.pad(x, ((0, 0), (edge, edge), (0, 0)))
    return [padded[:, edge + o:edge + o + x.shape[1]] for o in offsets]


def logits(w, mel, shape: Shape):
    """Returns [batch, frames // 2, symbols] of log-mel spectra [batch, frames, bands]."""
    x = jnp.concatenate(shifted(mel, (-1, 0, 1)), -1)
    x = jax.nn.relu(x @ w["stem.weight"] + w["stem.bias"])
    frames = x.shape[1] // 2
    x = x[:, :2 * frames].reshape(x.shape[0], frames, 2 * shape.stem)
    x = x @ w["pair.weight"] + w["pair.bias"]
    half = shape.kernel // 2
    for i in range(shape.blocks):
        kernel = w[f"block{i}.time.weight"]
        y = layer_norm(x, w, f"block{i}.norm")
        y = sum(s * k for s, k in zip(shifted(y, range(-half, half + 1)), kernel)) + w[f"block{i}.time.bias"]
        y = jax.nn.relu(y @ w[f"block{i}.up.weight"] + w[f"block{i}.up.bias"])
        x = x + y @ w[f"block{i}.down.weight"] + w[f"block{i}.down.bias"]
    return layer_norm(x, w, "last.norm") @ w["head.weight"] + w["head.bias"]
