"""Byte-level BPE in the layout of the Qwen tokenizer, and ChatML encoding of conversations."""

import json
import random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

# What llama.cpp runs for tokenizer.ggml.pre = "qwen2".
PRE_TOKENIZER = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                 r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
SPECIAL = CONTROL + USER_DEFINED


def _byte_level(model) -> Tokenizer:
    bpe = Tokenizer(model)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PRE_TOKENIZER), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    return bpe


class ChatTokenizer:
    """A trained vocabulary: ordinary tokens first, then CONTROL, then USER_DEFINED tokens."""

    def __init__(self, texts, vocab_size: int):
        bpe = _byte_level(models.BPE())
        trainer = trainers.BpeTrainer(vocab_size=vocab_size - len(SPECIAL), min_frequency=20, show_progress=False,
                                      initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
        bpe.train_from_iterator(texts, trainer)
        ordinary = sorted(bpe.get_vocab().items(), key=lambda item: item[1])
        merges = [" ".join(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
        self._take(bpe, [text for text, _ in ordinary], merges)

    @classmethod
    def of(cls, tokens: list[str], merges: list[str]):
        """The vocabulary of a file that write_gguf wrote: its tokens, special ones last, and its merges."""
        ordinary = tokens[:-len(SPECIAL)]
        numbers = {text: number for number, text in enumerate(ordinary)}
        self = cls.__new__(cls)
        self._take(_byte_level(models.BPE(numbers, [tuple(pair.split(" ")) for pair in merges])), ordinary, merges)
        return self

    def _take(self, bpe, ordinary, merges):
        self._bpe, self.tokens, self.merges = bpe, ordinary + SPECIAL, merges
        self.special = {text: len(ordinary) + i for i, text in enumerate(SPECIAL)}
        self._frame = {text: self.encode(text) for text in ("system\n", "user\n", "assistant\n", "\n", "\n\n")}

    def encode(self, text: str) -> list[int]:
        """Tokens of plain text; special tokens in it are ordinary characters."""
        return self._bpe.encode(text).ids

    def decode(self, ids) -> str:
        """Text of ordinary tokens; special tokens are left out."""
        return self._bpe.decode([i for i in ids if i < len(self.tokens) - len(SPECIAL)])

    def system(self, text: str) -> list[int]:
        """The tokens of a system prompt, with which a conversation begins."""
        return self._message("system", text)

    def prompt(self, system, turns, user, thinking=False) -> list[int]:
        """The ChatML prompt that the chat template renders for a request."""
        ids = [] if system is None else self._message("system", system)
        for asked, answered in turns:
            ids += self._message("user", asked) + self._message("assistant", answered)
        ids += self._message("user", user) + [self.special["<|im_start|>"]] + self._frame["assistant\n"]
        return ids if thinking else ids + self._think("")

    def conversation(self, conversation: dict, rng: random.Random) -> tuple[list[int], list[int]]:
        """Returns the tokens and, for each, 1 if the model is trained to predict it.

        Only what an assistant says counts, its <|im_end|> included. An empty
        think block is part of the prompt, so it does not count; the first token
        of an earlier answer does not either, since no think block precedes it.
        """
        *history, (user, answer) = conversation["turns"]
        ids, mask = [], []

        def add(tokens, trained):
            ids.extend(tokens)
            mask.extend([trained] * len(tokens))

        end, newline = [self.special["<|im_end|>"]], self._frame["\n"]
        if conversation["system"] is not None:
            add(self._message("system", conversation["system"]), 0)
        for asked, answered in history:
            add(self._message("user", asked) + [self.special["<|im_start|>"]] + self._frame["assistant\n"], 0)
            said = self.encode(answered)
            add(said[:1], 0)
            add(said[1:] + end, 1)
            add(newline, 0)
        thinking = rng.random() < 0.08
        add(self.prompt(None, [], user, thinking), 0)
        if thinking:
            add(self._think(conversation["thought"]), 1)
        add(self.encode(answer) + ([] if conversation.get("begun") else end), 1)
        return ids, mask

    def _message(self, role, text):
        special = self.special
        return [special["<|im_start|>"]] + self._frame[f"{role}\n"] + self.encode(text) + [special["<|im_end|>"]] + self._frame["\n"]

    def _think(self, thought):
        special = self.special
        if not thought:
            return [special["<think>"]] + self._frame["\n\n"] + [special["</think>"]] + self._frame["\n\n"]
        return [special["<think>"]] + self.encode("\n" + thought + "\n") + [special["</think>"]] + self._frame["\n\n"]
