#!/usr/bin/env python3
"""Makes chat.gguf, the starter chat model: generates the corpus, trains, evaluates, writes.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make_chat.py

Everything random is seeded by --seed. Also rewrites SHA256SUMS, which the
gateway embeds next to the models.
"""

import argparse
import hashlib
import pathlib
import random
import sys

import numpy as np

from chatmodel import corpus, export, grammar, network
from chatmodel.tokenizer import ChatTokenizer

HERE = pathlib.Path(__file__).resolve().parent
ROW_LENGTH = 385  # tokens in a training row: 384 predictions
SAMPLES = ["Hello", "Hello, how are you?", "My name is Mai.", 'What does "teacher" mean?', "What can you do?",
           "Is this correct? \"He go to school every day.\"", "Tell me a short story about a cat.",
           "Count to seven.", "Xin chào", "What is the capital of France?", "🎉 Chúc mừng năm mới!"]


def train_tokenizer(vocab_size: int, seed: int) -> ChatTokenizer:
    rng = random.Random(seed)

    def texts():
        for _ in range(20000):
            conversation = corpus.conversation(rng)
            yield from ("system\n", "user\n", "assistant\n", conversation["system"] or "", conversation["thought"])
            for turn in conversation["turns"]:
                yield from turn

    return ChatTokenizer(texts(), vocab_size)


def batches(tokenizer, rows: int, context_length: int, seed: int):
    """Yields (tokens, mask, positions, documents), each [rows, ROW_LENGTH], for ever.

    Rows are packed with whole conversations. In every second row the positions
    jump once, so that distances far beyond the row are trained too.
    """
    rng = random.Random(seed)
    tokens, mask, documents = [], [], []
    number, cut = 0, rows * ROW_LENGTH
    while True:
        while len(tokens) < cut:
            more, trained = tokenizer.conversation(corpus.conversation(rng), rng)
            number += 1
            tokens += more
            mask += trained
            documents += [number] * len(more)
        positions = np.tile(np.arange(ROW_LENGTH, dtype=np.int32), (rows, 1))
        for row in positions[::2]:
            row[rng.randrange(ROW_LENGTH):] += rng.randrange(context_length // 2)
        yield (np.array(tokens[:cut], np.int32).reshape(rows, -1),
               np.array(mask[:cut], np.float32).reshape(rows, -1), positions,
               np.array(documents[:cut], np.int32).reshape(rows, -1))
        tokens, mask, documents = tokens[cut:], mask[cut:], documents[cut:]


def evaluate(weights, shape, tokenizer, seed: int) -> None:
    """Prints the held-out loss, sample answers, and how many held-out sentences are corrected exactly."""
    held_out = batches(tokenizer, 16, shape.context_length, seed)
    losses = [float(network.loss(weights, next(held_out), shape)) for _ in range(8)]
    print(f"held-out loss {np.mean(losses):.4f} nats a token")
    stop, margins = tokenizer.special["<|im_end|>"], []
    for text in SAMPLES:
        said, margin = network.greedy(weights, shape, tokenizer.prompt(None, [], text), stop, 100)
        margins += margin
        print(f"  {text!r} -> {tokenizer.decode(said)!r}{'' if said[-1] == stop else ' (cut)'}")
    print(f"greedy margin: median {np.median(margins):.2f}, 5th percentile {np.percentile(margins, 5):.2f} logits")
    rng, right, count = random.Random(seed), 0, 100
    for _ in range(count):
        pair = grammar.pair(rng)
        prompt = tokenizer.prompt(corpus.SERVER["GrammarPromptEnglish"], [], pair[0])
        said, _ = network.greedy(weights, shape, prompt, stop, 100)
        right += tokenizer.decode(said).startswith(f'{{"corrected":"{pair[1]}","notes":[')
    print(f"grammar: {right} of {count} generated sentences corrected exactly")


def write_sums(directory: pathlib.Path) -> None:
    """Writes SHA256SUMS (the format of sha256sum) for every model file of the directory."""
    files = sorted(p for p in directory.iterdir() if p.suffix in {".gguf", ".bin", ".onnx", ".json"})
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in files]
    (directory / "SHA256SUMS").write_text("".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="directory of chat.gguf and SHA256SUMS")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--rows", type=int, default=8, help="rows in a batch")
    parser.add_argument("--rate", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()

    shape = network.Shape()
    tokenizer = train_tokenizer(shape.vocab_size, args.seed)
    if len(tokenizer.tokens) != shape.vocab_size:
        print(f"the corpus gave {len(tokenizer.tokens)} tokens, not {shape.vocab_size}", file=sys.stderr)
        return 1
    weights = network.initialise(shape, args.seed)
    print(f"{sum(w.size for w in weights.values()):,} parameters, {len(tokenizer.tokens)} tokens")

    def report(step, value, seconds):
        print(f"step {step}/{args.steps} loss {value:.4f} {seconds:.0f} s", flush=True)

    weights = network.train(weights, shape, batches(tokenizer, args.rows, shape.context_length, args.seed + 1),
                            args.steps, args.rate, report)
    evaluate(weights, shape, tokenizer, args.seed + 2)
    args.out.mkdir(parents=True, exist_ok=True)
    export.write_gguf(args.out / "chat.gguf", weights, shape, tokenizer)
    write_sums(args.out)
    print(f"wrote {args.out / 'chat.gguf'} ({(args.out / 'chat.gguf').stat().st_size:,} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
