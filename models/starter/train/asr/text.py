"""Text of Whisper's English models: byte-level BPE of GPT-2 (by ranks), times, and special tokens."""

import re

END_OF_TEXT, START, PREVIOUS, NO_SPEECH, NO_TIMES, FIRST_TIME = 50256, 50257, 50360, 50361, 50362, 50363
TIMES = 1501  # of 20 ms
SPECIAL = 5 + TIMES  # at a Table's end
WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[^\sA-Za-z]+|\s+")


class Tokenizer:
    """Cuts text into tokens; vocabulary are the tokens' bytes in the order of their ids, as files have them."""

    def __init__(self, vocabulary: list[bytes]):
        self.vocabulary, self.ranks = vocabulary, {token: i for i, token in enumerate(vocabulary)}
        self.known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        return [t for word in WORDS.findall(text) for t in self._word(word)]

    def decode(self, tokens: list[int]) -> str:
        return b"".join(self.vocabulary[t] for t in tokens if t < END_OF_TEXT).decode(errors="replace")

    def _word(self, word: str) -> list[int]:
        if word not in self.known:
            parts = [bytes([b]) for b in word.encode()]
            while len(parts) > 1:
                rank, at = min((self.ranks.get(a + b, 1 << 30), i) for i, (a, b) in enumerate(zip(parts, parts[1:])))
                if rank == 1 << 30:
                    break
                parts[at:at + 2] = [parts[at] + parts[at + 1]]
            self.known[word] = [self.ranks[p] for p in parts]
        return self.known[word]


class Table:
    """The part of the vocabulary that training uses."""

    def __init__(self, tokenizer: Tokenizer, texts: list[str]):
        used = {t for text in texts for t in tokenizer.encode(" " + text)}
        letters = "abcdefghijklmnopqrstuvwxyz"  # for words that training does not have
        used |= {t for c in letters + letters.upper() for t in tokenizer.encode(c) + tokenizer.encode(" " + c)}
        special = [END_OF_TEXT, START, PREVIOUS, NO_SPEECH, NO_TIMES] + [FIRST_TIME + i for i in range(TIMES)]
        self.ids = sorted(used) + special
        self.rows = {token: row for row, token in enumerate(self.ids)}
