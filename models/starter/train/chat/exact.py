"""Measures how many held-out cases of Grammar a network answers exactly, without a server."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np

from chat import corpus, network

ROWS, LENGTH = 32, 256


@functools.partial(jax.jit, static_argnames="shape")
def _choices(weights, prompt, tokens, shape):
    """The likeliest token after each of tokens [rows, time], which go on from the prompt [1, time]."""
    before, after = (jnp.broadcast_to(jnp.arange(t.shape[1]), t.shape) for t in (prompt, tokens))
    kept = network.hidden(weights, prompt, before, jnp.zeros_like(prompt), shape)[1]
    past = [(keys, values, jnp.ones(prompt.shape[1], bool)) for keys, values in kept]
    x, _ = network.hidden(weights, tokens, prompt.shape[1] + after, jnp.zeros_like(tokens), shape, past)
    return jnp.argmax(x @ weights["token_embd"].T, -1)


def _expected(tokenizer, case):
    """The tokens of a case's turn and of the answer up to the end of the corrected text."""
    answer = json.dumps({"corrected": case.accepted[0], "notes": []}, ensure_ascii=False, separators=(",", ":"))
    said, end = tokenizer.encode(answer), answer.index('"notes":[]') - 1
    length = next(n for n in range(1, len(said) + 1) if len(tokenizer.decode(said[:n])) >= end)
    return tokenizer.prompt(None, [], case.text), said[:length]


def share(weights, shape, tokenizer, cases) -> float:
    """The share of cases whose first accepted answer is what greedy decoding gives: each of its tokens is the likeliest."""
    prompt = jnp.asarray([tokenizer.system(corpus.SERVER["GrammarPromptEnglish"])])
    right = 0
    for at in range(0, len(cases), ROWS):
        rows = [_expected(tokenizer, case) for case in cases[at:at + ROWS]]
        tokens = np.zeros((ROWS, LENGTH), np.int32)
        for row, (asked, said) in zip(tokens, rows):
            row[:len(asked) + len(said)] = asked + said
        chosen = np.asarray(_choices(weights, prompt, tokens, shape))
        right += sum(list(row[len(asked) - 1:len(asked) + len(said) - 1]) == said for row, (asked, said) in zip(chosen, rows))
    return right / len(cases)
