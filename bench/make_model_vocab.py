"""A made-up byte-level BPE vocabulary of any size, for make_model.py.

Tokens are the 256 bytes, then words of two to four letters. Each is the
concatenation of two earlier tokens, so that there are as many merges as in a
real file, and English text becomes few tokens.
"""

import itertools
import string

import gguf

# The order of ids, and the USER_DEFINED tokens, are those of the published Qwen3 files.
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
SPECIAL_COUNT = 26  # Qwen3 adds 26 special tokens, then padding; here there are fewer, so more padding
SPACE = "Ġ"  # the space in the byte-level alphabet


def byte_alphabet():
    """Returns the 256 printable characters that GPT-2's tokenizer uses for bytes, in byte order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(shifted)) for b in range(256)]


def merges():
    """Yields about 490,000 pairs of earlier tokens. No concatenation is repeated."""
    letters = string.ascii_lowercase
    pairs = ["".join(p) for p in itertools.product(letters, repeat=2)]
    yield from ((SPACE, c) for c in letters)
    yield from ((p[0], p[1]) for p in pairs)
    yield from ((SPACE, p) for p in pairs)
    yield from ((p, c) for p in pairs for c in letters)
    yield from ((SPACE, p + c) for p in pairs for c in letters)
    yield from ((p, q) for p in pairs for q in pairs)


def add_tokenizer(writer: gguf.GGUFWriter, size: int) -> range:
    """Adds a vocabulary of exactly size tokens to the file.

    Returns the ids that must not occur in an answer: special tokens, which would
    end it or look like thinking, and padding, which has no text.
    """
    ordinary = size - SPECIAL_COUNT - size // 512
    tokens, pairs = byte_alphabet(), []
    for left, right in itertools.islice(merges(), ordinary - len(tokens)):
        tokens.append(left + right)
        pairs.append(f"{left} {right}")
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    first = len(tokens)
    tokens += CONTROL + USER_DEFINED
    kinds += [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.USER_DEFINED] * len(USER_DEFINED)
    padding = size - len(tokens)
    tokens += [f"[PAD{len(tokens) + i}]" for i in range(padding)]
    kinds += [gguf.TokenType.UNUSED] * padding
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(pairs)
    writer.add_bos_token_id(first)
    writer.add_eos_token_id(first + 2)
    writer.add_pad_token_id(first)
    writer.add_add_bos_token(False)
    return range(first, size)
