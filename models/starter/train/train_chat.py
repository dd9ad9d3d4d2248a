#!/usr/bin/env python3
"""Trains the starter model for chat and grammar on generated conversations, and writes it as GGUF.

    venv/bin/python train_chat.py --work /somewhere/chat --out ..

Writes a checkpoint every 100 steps and continues from it when it is started again, also with another number of --steps.
Every 500 steps it prints how many held-out sentences it answers correctly, and sample answers. `make models-eval`
measures the file. Uses one core by default.
"""

import argparse
import pathlib

import loop

SAMPLES = ["Hello", "Who are you?", "I am a student.", "She go to school", "I have two cat", "My name is Mai.",
           'What does "teacher" mean?', "What is the past tense of go?", "Count to five.", "Xin chào", "What is the capital of France?",
           'How do I say "con mèo" in English?', "Is this correct? \"He go to school every day.\"", "🎉 Chúc mừng năm mới!"]
TEXTS = ["I am a student.", "She go to school", "I have two cat", "He don't like vegetables.", "Is very cold in winter.",
         "My favourite subjet is history.", "My best friend's name is Quỳnh Anh.", "She has a bag red."]

_batches = None


def start_loader(tokenizer, context_length, seed):
    """Begins a process that makes batches."""
    global _batches
    from chat import batches

    _batches = batches.Batches(tokenizer, seed, context_length)


def load_batch(number):
    return _batches.batch(number)


def evaluate(weights, shape, tokenizer):
    """Prints how much is right, sample answers, and the margin of the first over the second choice."""
    import numpy as np
    from chat import corpus, exact, heldout, network

    for name in ("grammar_errors", "grammar_correct", "unknown_errors", "unknown_correct"):
        share = exact.share(weights, shape, tokenizer, getattr(heldout, name)(200))
        print(f"{name.replace('_', ', ')}: {share:.1%} right of 200 held out", flush=True)

    stop, margins = tokenizer.special["<|im_end|>"], []
    for system, texts in ((None, SAMPLES), (corpus.SERVER["GrammarPromptEnglish"], TEXTS)):
        for text in texts:
            said, margin = network.greedy(weights, shape, tokenizer.prompt(system, [], text), stop, 60)
            margins += margin
            print(f"  {text!r} -> {tokenizer.decode(said)!r}{'' if said[-1] == stop else ' (cut)'}", flush=True)
    print(f"margin of a choice: median {np.median(margins):.2f}, 5th percentile {np.percentile(margins, 5):.2f} logits", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for chat.gguf")
    parser.add_argument("--begin", type=pathlib.Path, metavar="FILE", help="an earlier chat.gguf whose vocabulary, shape and weights "
                        "to start with; default: random weights")
    parser.add_argument("--blocks", type=int, metavar="N", help="number of layers; layers that FILE lacks are added")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=0.008)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    loop.prepare(options)
    import jax.numpy as jnp
    import numpy as np
    from chat import batches, export, network

    if options.begin:
        weights, shape, tokenizer = export.read_gguf(options.begin)
        weights, shape = network.deepen({name: jnp.asarray(w) for name, w in weights.items()}, shape,
                                        max(shape.block_count, options.blocks or 0), options.seed)
    else:
        shape = network.Shape(block_count=options.blocks or network.Shape.block_count)
        weights, tokenizer = network.initialise(shape, options.seed), batches.train_tokenizer(shape.vocab_size, options.seed)
    if len(tokenizer.tokens) != shape.vocab_size:
        raise SystemExit(f"the conversations gave {len(tokenizer.tokens)} tokens, not {shape.vocab_size}")
    optim = network.optimiser()
    step = network.make_step(shape, optim)

    def write(weights):
        evaluate(weights, shape, tokenizer)
        options.out.mkdir(parents=True, exist_ok=True)
        export.write_gguf(options.out / "chat.gguf", {name: np.asarray(w) for name, w in weights.items()}, shape, tokenizer)

    write(loop.run(options, weights, optim, lambda number: step,
                   (start_loader, (tokenizer, shape.context_length, options.seed), load_batch), write))


if __name__ == "__main__":
    main()
