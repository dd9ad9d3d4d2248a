"""The Qwen3 architecture in JAX, with its training step and greedy decoding.

Shapes follow GGUF's convention for weights: [out, in]. Activations are
[batch, time, channels], float32.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from products import linear, times, times_transposed

NOTHING = -1  # the document of tokens that fill a row up


@dataclasses.dataclass(frozen=True)
class Shape:
    """Hyperparameters, named as in GGUF metadata. Head size is free of embedding / heads, as in Qwen3."""
    vocab_size: int = 1536
    embedding_length: int = 192
    block_count: int = 6
    head_count: int = 4
    head_count_kv: int = 2
    key_length: int = 64
    feed_forward_length: int = 512
    rms_epsilon: float = 1e-6
    rope_freq_base: float = 10000.0
    context_length: int = 8192


def initialise(shape: Shape, seed: int) -> dict:
    """Random weights under their GGUF names; the embedding is also the output matrix (tied)."""
    rng = np.random.default_rng(seed)

    def matrix(rows, columns, scale=1.0):
        return jnp.asarray(rng.standard_normal((rows, columns), np.float32) * scale / np.sqrt(columns))

    width, head = shape.embedding_length, shape.key_length
    residual = 1 / np.sqrt(2 * shape.block_count)
    weights = {"token_embd": matrix(shape.vocab_size, width), "output_norm": jnp.ones(width)}
    for i in range(shape.block_count):
        weights |= {f"blk.{i}.{name}": value for name, value in {
            "attn_norm": jnp.ones(width), "ffn_norm": jnp.ones(width),
            "attn_q_norm": jnp.ones(head), "attn_k_norm": jnp.ones(head),
            "attn_q": matrix(shape.head_count * head, width),
            "attn_k": matrix(shape.head_count_kv * head, width),
            "attn_v": matrix(shape.head_count_kv * head, width),
            "attn_output": matrix(width, shape.head_count * head, residual),
            "ffn_gate": matrix(shape.feed_forward_length, width),
            "ffn_up": matrix(shape.feed_forward_length, width),
            "ffn_down": matrix(width, shape.feed_forward_length, residual),
        }.items()}
    return weights


def deepen(weights: dict, shape: Shape, blocks: int, seed: int) -> tuple[dict, Shape]:
    """Adds layers after those that there are, up to `blocks`, whose last matrices are zero: the network computes what it did."""
    deeper = dataclasses.replace(shape, block_count=blocks)
    new = {name: jnp.zeros_like(value) if name.endswith((".attn_output", ".ffn_down")) else value
           for name, value in initialise(deeper, seed).items()}
    return new | weights, deeper


def _rms_norm(x, weight, epsilon):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + epsilon) * weight


def _turns(positions, size, base):
    """The sines and cosines by which _rope turns heads of a size at positions [batch, time]."""
    half = size // 2
    angle = positions[:, :, None, None] * base ** (-jnp.arange(half) / half)
    return jnp.sin(angle), jnp.cos(angle)


def _rope(x, turns):
    """Rotates halves (NeoX order, as llama.cpp does for qwen3). x: [batch, time, heads, size]."""
    sin, cos = turns
    left, right = jnp.split(x, 2, -1)
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], -1)


def _attention(x, w, turns, mask, past, shape):
    """Returns what attention adds, and the keys and values; past are those of a beginning that all rows
    share, and which of its tokens count."""
    batch, length, _ = x.shape
    kv, size = shape.head_count_kv, shape.key_length
    rows = shape.head_count // kv * length
    project = lambda name, heads: linear(x, w[name]).reshape(batch, length, heads, size)
    q = _rms_norm(project("attn_q", shape.head_count), w["attn_q_norm"] / np.sqrt(size), shape.rms_epsilon)
    k = _rms_norm(project("attn_k", kv), w["attn_k_norm"], shape.rms_epsilon)
    # Heads that share keys and values are rows of one matrix: [kv, batch, group * length, size].
    q = _rope(q, turns).reshape(batch, length, kv, -1, size).transpose(2, 0, 3, 1, 4).reshape(kv, batch, rows, size)
    k, v = (part.transpose(2, 0, 1, 3) for part in (_rope(k, turns), project("attn_v", kv)))
    scores = times_transposed(q, k).reshape(kv, batch, -1, length, length)
    scores = jnp.where(mask, scores, -1e30).reshape(kv, batch, rows, length)
    top = jnp.max(scores, -1, keepdims=True)
    if past is not None:
        before = jnp.where(past[2], times_transposed(q.reshape(kv, -1, size), past[0][:, 0]), -1e30).reshape(kv, batch, rows, -1)
        top = jnp.maximum(top, jnp.max(before, -1, keepdims=True))
    top = jax.lax.stop_gradient(top)
    shares = jnp.exp(scores - top)
    total, mixed = jnp.sum(shares, -1, keepdims=True), times(shares, v)
    if past is not None:
        shares = jnp.exp(before - top)
        total += jnp.sum(shares, -1, keepdims=True)
        mixed += times(shares.reshape(kv, batch * rows, -1), past[1][:, 0]).reshape(mixed.shape)
    mixed = (mixed / total).reshape(kv, batch, -1, length, size).transpose(1, 3, 0, 2, 4)
    return linear(mixed.reshape(batch, length, -1), w["attn_output"]), (k, v)


def hidden(weights, tokens, positions, documents, shape: Shape, past=None):
    """Returns the last layer's activations, and the keys and values of each layer.

    A token sees only earlier ones of its own document, and the beginning whose
    keys, values and mask are past, by layer. tokens, positions and documents (a number for each
    token) are all [batch, time].
    """
    x, kept = weights["token_embd"][tokens], []
    mask = jnp.tril(jnp.ones((tokens.shape[1],) * 2, bool)) & (documents[:, :, None] == documents[:, None, :])
    mask, turns = mask[None, :, None], _turns(positions, shape.key_length, shape.rope_freq_base)
    for i in range(shape.block_count):
        prefix = f"blk.{i}."
        w = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        added, keys_values = _attention(_rms_norm(x, w["attn_norm"], shape.rms_epsilon), w, turns, mask,
                                        past[i] if past else None, shape)
        x, kept = x + added, kept + [keys_values]
        h = _rms_norm(x, w["ffn_norm"], shape.rms_epsilon)
        x = x + linear(jax.nn.silu(linear(h, w["ffn_gate"])) * linear(h, w["ffn_up"]), w["ffn_down"])
    return _rms_norm(x, weights["output_norm"], shape.rms_epsilon), kept


def value_and_gradient(weights, prompt, known, shared, free, shape: Shape):
    """Returns the mean cross-entropy in nats over the tokens that are trained, and its gradient.

    prompt [1, time] is a system prompt from which all rows of shared go on, of
    which the tokens that are known [time] count; the rows of free stand alone.
    Both are (tokens, positions, documents, targets, where): targets are the
    tokens to predict after the flat places where, NOTHING for none. shared has
    a first axis of parts that are computed one after the other: small parts
    stay in the processor's cache.
    """
    at = jnp.arange(prompt.shape[1])[None]
    count = sum(jnp.sum(rows[3] != NOTHING) for rows in (shared, free))

    def entropy(weights, kept, rows):
        tokens, positions, documents, targets, where = rows
        past = kept and [(keys, values, known) for keys, values in kept]
        x, _ = hidden(weights, tokens, positions, documents, shape, past)
        scores = linear(x.reshape(-1, x.shape[-1])[where], weights["token_embd"])
        lost = optax.softmax_cross_entropy_with_integer_labels(scores, jnp.maximum(targets, 0))
        return jnp.sum(lost * (targets != NOTHING)) / count

    def add(sums, rows):
        return jax.tree.map(jnp.add, sums, gradient(weights, kept, rows)), None

    gradient = jax.value_and_grad(entropy, (0, 1))
    kept, back = jax.vjp(lambda weights: hidden(weights, prompt, at, jnp.zeros_like(at), shape)[1], weights)
    value, (of_weights, _) = gradient(weights, None, free)
    sums = value, (of_weights, jax.tree.map(jnp.zeros_like, kept))
    (value, (of_weights, of_kept)), _ = jax.lax.scan(add, sums, shared)
    return value, jax.tree.map(jnp.add, of_weights, back(of_kept)[0])


def optimiser(peak_share: float = 0.3):
    """Muon (Jordan et al., 2024) for the layers' matrices, AdamW for the rest, of rate 1: the steps' rate multiplies.

    peak_share is AdamW's part of that rate.
    """
    inner = lambda tree: {name: optax.contrib.MuonDimensionNumbers() if getattr(value, "ndim", 0) == 2 and name != "token_embd"
                          else None for name, value in tree.items()}
    return optax.chain(optax.clip_by_global_norm(1.0), optax.contrib.muon(
        1.0, beta=0.95, weight_decay=0.05, adam_learning_rate=peak_share, adam_b1=0.9, adam_b2=0.98,
        muon_weight_dimension_numbers=inner, consistent_rms=0.2))


def make_step(shape: Shape, optim):
    """Returns the step of the optimiser: (weights, state, rate, *batch) to (weights, state, loss)."""
    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(weights, state, rate, *batch):
        value, gradient = value_and_gradient(weights, *batch, shape)
        updates, state = optim.update(gradient, state, weights)
        updates = jax.tree.map(lambda u: rate * u, updates)
        return optax.apply_updates(weights, updates), state, value

    return step


@functools.partial(jax.jit, static_argnames="shape")
def _scores_at(weights, tokens, at, shape):
    positions = jnp.arange(tokens.shape[1])[None]
    x, _ = hidden(weights, tokens, positions, jnp.zeros_like(positions), shape)
    return x[0, at] @ weights["token_embd"].T


def greedy(weights, shape: Shape, prompt: list[int], stop: int, limit: int) -> tuple[list[int], list[float]]:
    """Continues a prompt; returns the new tokens and the margin (logits) of the first over the second choice."""
    window = -(-(len(prompt) + limit) // 128) * 128
    tokens, margins = list(prompt), []
    while len(margins) < limit:
        padded = np.zeros((1, window), np.int32)
        padded[0, :len(tokens)] = tokens
        scores = np.asarray(_scores_at(weights, padded, len(tokens) - 1, shape))
        second, first = np.sort(scores)[-2:]
        margins.append(float(first - second))
        tokens.append(int(scores.argmax()))
        if tokens[-1] == stop:
            break
    return tokens[len(prompt):], margins
