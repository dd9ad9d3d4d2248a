"""Batches of conversations: some continue one of the server's prompts, others stand alone."""

import random

import numpy as np

from chat import corpus
from chat.network import NOTHING
from chat.tokenizer import ChatTokenizer
from chat.wide import WideWriter

SHARED = (4, 192)  # rows and tokens of a part of the conversations under a server's prompt
PARTS = 4
FREE = (4, 256)
TRAINED_SHARE = 0.6  # at most, of a row's tokens
TRIES = 12  # conversations that find no room before rows count as full


def train_tokenizer(vocab_size: int, seed: int) -> ChatTokenizer:
    """Makes the vocabulary of texts as the training has them."""
    w = WideWriter(random.Random(f"{seed}/vocabulary"))

    def texts():
        for number in range(30000):
            some = corpus.answering(w, corpus.server_prompt(w.rng)) if number % 2 else corpus.conversation(w)
            yield from ("system\n", "user\n", "assistant\n", some["system"] or "", some["thought"])
            for turn in some["turns"]:
                yield from turn

    return ChatTokenizer(texts(), vocab_size)


class Batches:
    """Makes the batch of a number, always the same one."""

    def __init__(self, tokenizer: ChatTokenizer, seed: int, context_length: int):
        self.tokenizer, self.seed, self.context_length = tokenizer, seed, context_length
        systems = [text for text in corpus.SERVER.values()] + [f"{corpus.SERVER['RespondPrompt']} {level}" for level in corpus.LEVELS]
        self.longest = max(len(tokenizer.system(text)) for text in systems)

    def batch(self, number: int):
        """Returns (prompt, known, shared, free) as network.value_and_gradient takes them."""
        rng = random.Random(f"{self.seed}/{number}")
        w = WideWriter(rng)
        system = corpus.server_prompt(rng)
        prompt = self.tokenizer.system(system)
        known = np.arange(self.longest) < len(prompt)
        padded = np.zeros((1, self.longest), np.int32)
        padded[0, :len(prompt)] = prompt
        left = []
        parts = [self._rows(rng, SHARED, len(prompt), lambda: corpus.answering(w, system) | {"system": None}, left) for _ in range(PARTS)]
        shared = tuple(np.stack(arrays) for arrays in zip(*parts))
        free = self._rows(rng, FREE, 0, lambda: corpus.conversation(w), [])
        for row in free[1][::2]:  # distances far beyond the row
            row[rng.randrange(FREE[1]):] += rng.randrange(self.context_length // 2)
        return padded, known, shared, free

    def _rows(self, rng, shape, begin, conversation, left):
        """Packs whole conversations into rows, those that are left from others first; leaves those that find no room."""
        rows, length = shape
        tokens, documents = np.zeros(shape, np.int32), np.full(shape, NOTHING, np.int32)
        positions, trained = np.zeros(shape, np.int32), np.zeros(shape, bool)
        filled, number, failed, waiting = [0] * rows, 0, [], list(left)
        while len(failed) < TRIES:
            ids, mask = waiting.pop() if waiting else self.tokenizer.conversation(conversation(), rng)
            row = next((r for r in range(rows) if filled[r] + len(ids) <= length), None)
            if row is None:
                failed += [(ids, mask)] if len(ids) <= length else []
                continue
            span = slice(filled[row], filled[row] + len(ids))
            tokens[row, span], trained[row, span], documents[row, span] = ids, mask, number
            positions[row, span] = begin + np.arange(len(ids))
            filled[row], number = span.stop, number + 1
        left[:] = failed + waiting
        places = np.flatnonzero(np.roll(trained, -1, 1))
        size = int(rows * length * TRAINED_SHARE)
        targets, where = np.full(size, NOTHING, np.int32), np.zeros(size, np.int32)
        places = places[:size]
        targets[:len(places)], where[:len(places)] = tokens.reshape(-1)[places + 1], places
        return tokens, positions, documents, targets, where
