"""The Qwen3 architecture in JAX, its training loop and greedy decoding.

Shapes follow GGUF's convention for weights: [out, in]. Activations are
[batch, time, channels], float32.
"""

import dataclasses
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax


@dataclasses.dataclass(frozen=True)
class Shape:
    """Hyperparameters, named as in GGUF metadata. Head size is free of embedding / heads, as in Qwen3."""
    vocab_size: int = 1536
    embedding_length: int = 192
    block_count: int = 4
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


def _rms_norm(x, weight, epsilon):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + epsilon) * weight


def _rope(x, positions, base):
    """Rotates halves (NeoX order, as llama.cpp does for qwen3). x: [batch, time, heads, size]."""
    half = x.shape[-1] // 2
    angle = positions[:, :, None, None] * base ** (-jnp.arange(half) / half)
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    left, right = x[..., :half], x[..., half:]
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], -1)


def _attention(x, w, positions, mask, shape):
    batch, length, _ = x.shape
    group = shape.head_count // shape.head_count_kv
    project = lambda name, heads: (x @ w[name].T).reshape(batch, length, heads, shape.key_length)
    q = _rms_norm(project("attn_q", shape.head_count), w["attn_q_norm"], shape.rms_epsilon)
    k = _rms_norm(project("attn_k", shape.head_count_kv), w["attn_k_norm"], shape.rms_epsilon)
    v = project("attn_v", shape.head_count_kv)
    q, k = _rope(q, positions, shape.rope_freq_base), _rope(k, positions, shape.rope_freq_base)
    q = q.reshape(batch, length, shape.head_count_kv, group, shape.key_length)
    scores = jnp.einsum("btkgd,bskd->bkgts", q, k) / np.sqrt(shape.key_length)
    weights = jax.nn.softmax(jnp.where(mask, scores, -1e30), -1)
    mixed = jnp.einsum("bkgts,bskd->btkgd", weights, v).reshape(batch, length, -1)
    return mixed @ w["attn_output"].T


def logits(weights, tokens, positions, documents, shape: Shape):
    """Next-token logits [batch, time, vocab]; a token sees only earlier ones of its own document.

    tokens, positions and documents (a number for each token) are all [batch, time].
    """
    x = weights["token_embd"][tokens]
    mask = jnp.tril(jnp.ones((tokens.shape[1],) * 2, bool)) & (documents[:, :, None] == documents[:, None, :])
    mask = mask[:, None, None]
    for i in range(shape.block_count):
        prefix = f"blk.{i}."
        w = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        x = x + _attention(_rms_norm(x, w["attn_norm"], shape.rms_epsilon), w, positions, mask, shape)
        h = _rms_norm(x, w["ffn_norm"], shape.rms_epsilon)
        x = x + (jax.nn.silu(h @ w["ffn_gate"].T) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
    return _rms_norm(x, weights["output_norm"], shape.rms_epsilon) @ weights["token_embd"].T


def loss(weights, batch, shape: Shape):
    """Mean cross-entropy in nats over the tokens whose mask is 1."""
    tokens, mask, positions, documents = batch
    scores = logits(weights, tokens[:, :-1], positions[:, :-1], documents[:, :-1], shape)
    entropy = optax.softmax_cross_entropy_with_integer_labels(scores, tokens[:, 1:])
    return jnp.sum(entropy * mask[:, 1:]) / jnp.sum(mask[:, 1:])


def train(weights, shape: Shape, batches, steps: int, peak_rate: float, report):
    """AdamW with warm-up and cosine decay; report(step, loss, seconds) is called every 50 steps."""
    schedule = optax.warmup_cosine_decay_schedule(0.0, peak_rate, min(100, steps // 10 + 1), steps, peak_rate / 50)
    decayed = lambda tree: {name: value.ndim == 2 for name, value in tree.items()}
    optimiser = optax.chain(optax.clip_by_global_norm(1.0),
                            optax.adamw(schedule, b2=0.98, weight_decay=0.05, mask=decayed))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(weights, state, batch):
        value, gradient = jax.value_and_grad(loss)(weights, batch, shape)
        updates, state = optimiser.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), state, value

    state, started, recent = optimiser.init(weights), time.monotonic(), []
    for number, batch in zip(range(1, steps + 1), batches):
        weights, state, value = step(weights, state, batch)
        recent.append(value)
        if number % 50 == 0 or number == steps:
            report(number, float(np.mean(recent)), time.monotonic() - started)
            recent = []
    return weights


@functools.partial(jax.jit, static_argnames="shape")
def _scores_at(weights, tokens, at, shape):
    positions = jnp.arange(tokens.shape[1])[None]
    return logits(weights, tokens, positions, jnp.zeros_like(positions), shape)[0, at]


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
