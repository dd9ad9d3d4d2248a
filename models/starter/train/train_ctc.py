#!/usr/bin/env python3
"""Trains the starter model for pronunciation scoring on the speech of make_speech.py, and writes it as ONNX.

    venv/bin/python train_ctc.py --speech /somewhere/speech --work /somewhere/ctc --out /somewhere/ctc

Writes a checkpoint each 100 steps and goes on from it when it is started again, also with another number of --steps.
At the end it prints the error rates of held-out sentences, in trained and in new voices. One core by default.
"""

import argparse
import multiprocessing
import os
import pathlib
import time

import numpy as np

LENGTHS = [1.1, 1.6, 2.1, 2.8, 4.2]  # of the rows of batches, in seconds
SHORT_STEPS = 150  # on short clips alone, at the beginning
AHEAD = 8  # batches that are made before they are needed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=pathlib.Path, required=True, help="folder of make_speech.py")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of pronunciation.onnx and .vocab.json")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=32, help="of audio in a batch")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


_batches = None


def start_loader(speech, seconds, seed):
    """Begins a process that makes batches."""
    global _batches
    from speech import corpus

    _batches = corpus.Batches(corpus.load(speech, "train"), LENGTHS, seconds, seed)


def load_batch(number):
    from ctc import training

    return training.batch(_batches, number, shortest=number < SHORT_STEPS)


def batches(pool, first, last):
    """Yields the batches from first to last, made ahead."""
    waiting = [pool.apply_async(load_batch, (n,)) for n in range(first, min(first + AHEAD, last))]
    for number in range(first, last):
        if number + AHEAD < last:
            waiting.append(pool.apply_async(load_batch, (number + AHEAD,)))
        yield waiting.pop(0).get()


def evaluate(weights, shape, speech, count=None):
    """Prints the error rates of the held-out sentences."""
    import jax
    from ctc import network, training
    from speech import corpus, features

    apply = jax.jit(lambda w, mel: network.logits(w, mel, shape))

    def hear(samples):
        length = -(-len(samples) // 16000) * 16000  # few shapes, few compilations
        mel = features.log_mel(np.pad(features.normalised(samples), (0, length - len(samples))))
        return training.greedy(np.asarray(apply(weights, mel[None])[0]))

    for kind in ("trained-voices", "new-voices"):
        clips = corpus.load(speech, kind)[:count]
        rates = training.error_rates(clips, hear)
        print(f"{kind}: letters {100 * rates[0]:.1f} %, words {100 * rates[1]:.1f} % wrong of {len(clips)} sentences", flush=True)
        for voice in sorted({c.voice for c in clips}) if kind == "new-voices" and count is None else []:
            some = [c for c in clips if c.voice == voice]
            print(f"  {voice}: letters {100 * training.error_rates(some, hear)[0]:.1f} % of {len(some)} sentences", flush=True)
    for clip in corpus.load(speech, "new-voices")[:5]:
        print(f"  {clip.text!r} -> {hear(clip.samples)!r}", flush=True)


def main():
    options = arguments()
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + (
        " --xla_cpu_multi_thread_eigen=false" if options.threads == 1 else "")
    import jax
    from ctc import export, network, training

    jax.config.update("jax_compilation_cache_dir", str(options.work / "compiled"))
    shape = network.Shape()
    weights = network.initialise(shape, options.seed)
    optim = training.optimiser(options.rate, options.steps)
    state, done = optim.init(weights), 0
    checkpoint = options.work / "checkpoint.npz"
    if checkpoint.exists():
        done, weights, state = training.restore(checkpoint, state)
    print(f"{sum(w.size for w in weights.values()):,} parameters; {done} of {options.steps} steps are done", flush=True)
    step, recent, started = training.make_step(shape, optim), [], time.monotonic()
    with multiprocessing.get_context("spawn").Pool(1, start_loader, (options.speech, options.seconds, options.seed)) as pool:
        for number, batch in enumerate(batches(pool, done, options.steps), done + 1):
            weights, state, value = step(weights, state, *batch)
            recent.append(float(value))
            if number % 25 == 0:
                print(f"step {number}/{options.steps} loss {np.mean(recent):.3f} {time.monotonic() - started:.0f} s", flush=True)
                recent = []
            if number % 100 == 0 or number == options.steps:
                training.save(checkpoint, number, weights, state)
            if number % 500 == 0 and number != options.steps:
                evaluate(weights, shape, options.speech, 40)
    evaluate(weights, shape, options.speech)
    export.write(options.out, {name: np.asarray(value) for name, value in weights.items()}, shape)


if __name__ == "__main__":
    main()
