"""Held-out data, and the cases of the evaluation: sentences for Grammar and prompts for chat.

A hash of the letters of a text decides, so that no seed and no size of the data
can bring a held-out text into the training. The cases written by hand are held
out by their letters too.
"""

import dataclasses
import functools
import hashlib
import random
import re

HELD_OUT_SHARE = 0.06


def letters(text: str) -> str:
    """A text's letters and figures in lower case, with single spaces: what decides whether it is held out."""
    return " ".join(re.sub(r"[^\w']", " ", text.lower()).split())


@functools.cache
def _written() -> frozenset[str]:
    from chat import handwritten

    texts = [text for _, text, *rights in handwritten.ERRORS for text in (text, *rights)]
    return frozenset(letters(t) for t in texts + handwritten.CORRECT + [prompt for _, prompt, *_ in handwritten.CHAT])


def is_held_out(text: str) -> bool:
    """Whether a corrected sentence or a chat prompt belongs to the evaluation."""
    key = letters(text)
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") < HELD_OUT_SHARE * 2**32 or key in _written()


@dataclasses.dataclass(frozen=True)
class GrammarCase:
    """A text for Grammar. accepted are the right answers, the usual one first; kind is NONE for correct texts."""
    text: str
    accepted: tuple[str, ...]
    kind: str

    def check(self, corrected: str) -> bool:
        """Whether the server's corrected_text is right to the letter."""
        return corrected in self.accepted


@dataclasses.dataclass(frozen=True)
class ChatCase:
    """A user's turn without a system prompt; expected is what a good answer must hold, by kind."""
    kind: str
    prompt: str
    expected: tuple[str, ...] = ()

    def check(self, answer: str, finish_reason: str = "STOP") -> str:
        """Returns "" if the answer will do, else what is wrong with it."""
        from chat import checks

        return checks.problem(self.kind, self.expected, answer, finish_reason)


def _pairs(count: int, seed: int, wrong: bool, unknown=False):
    from chat import grammar, wide

    writer, seen = (wide.WideWriter if unknown else grammar.writer)(random.Random(seed)), {}
    while len(seen) < count:
        pair = grammar.sentence(writer, wrong=wrong)
        if bool(pair.rule) == wrong and bool(writer.unknown) == unknown and is_held_out(pair.corrected):
            seen.setdefault(letters(pair.corrected), pair)
    return [GrammarCase(p.original, (p.corrected,), p.kind) for p in seen.values()]


def grammar_errors(count: int = 500, seed: int = 1) -> list[GrammarCase]:
    """Generated sentences with one mistake each."""
    return _pairs(count, seed, True)


def grammar_correct(count: int = 200, seed: int = 2) -> list[GrammarCase]:
    """Generated sentences without mistakes."""
    return _pairs(count, seed, False)


def unknown_errors(count: int = 200, seed: int = 3) -> list[GrammarCase]:
    """Generated sentences with one mistake each, and with words and forms beyond those of grammar_errors."""
    return _pairs(count, seed, True, True)


def unknown_correct(count: int = 200, seed: int = 4) -> list[GrammarCase]:
    """Such sentences without mistakes."""
    return _pairs(count, seed, False, True)


def handwritten_errors() -> list[GrammarCase]:
    """Sentences of learners, written by hand."""
    from chat import handwritten

    return [GrammarCase(text, tuple(rights), kind) for kind, text, *rights in handwritten.ERRORS]


def handwritten_correct() -> list[GrammarCase]:
    """Ordinary correct sentences, written by hand."""
    from chat import handwritten

    return [GrammarCase(text, (text,), "NONE") for text in handwritten.CORRECT]


def chat_prompts() -> list[ChatCase]:
    """Prompts written by hand, 50 of them."""
    from chat import handwritten

    return [ChatCase(kind, prompt, tuple(expected)) for kind, prompt, *expected in handwritten.CHAT]
