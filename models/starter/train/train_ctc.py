#!/usr/bin/env python3
"""Trains the starter model for pronunciation scoring on the speech of make_speech.py, and writes it as ONNX.

    venv/bin/python train_ctc.py --speech /somewhere/speech --work /somewhere/ctc --out /somewhere/ctc

Writes a checkpoint every 100 steps and continues from it when it is started again, also with another number of --steps.
At the end it prints the error rates for held-out sentences and rows of words, by groups of voices. Uses one core by
default.
"""

import numpy as np

import loop

LENGTHS = [1.3, 1.7, 2.2, 2.9, 5.0]  # of the rows of batches, in seconds
FLAT_STEPS = 150  # at the beginning: on short clips, by guessed alignments

_batches = None


def start_loader(speech, work, seconds, seed):
    """Begins a process that makes batches."""
    global _batches
    from ctc import spectra
    from speech import corpus

    _batches = spectra.Batches(corpus.load(speech, "train"), work / "spectra.npy", LENGTHS, seconds, seed)


def load_batch(number):
    return _batches.batch(number, shortest=number < FLAT_STEPS)


def evaluate(weights, shape, speech, count=None):
    """Prints the error rates of the held-out sentences."""
    import jax
    import jax.numpy as jnp
    from ctc import network, training
    from speech import corpus, features

    apply = jax.jit(lambda w, mel: network.logits(w, mel, shape, jnp.matmul))

    def hear(samples):
        length = -(-len(samples) // 16000) * 16000  # few shapes, few compilations
        mel = features.log_mel(np.pad(features.normalised(samples), (0, length - len(samples))))
        return training.greedy(np.asarray(apply(weights, mel[None])[0]))

    for name in ("trained-voices", "new-voices") + (("trained-words", "new-words") if count is None else ()):
        clips = corpus.load(speech, name)[:count]
        rates = training.error_rates(clips, hear)
        print(f"{name}: letters {100 * rates[0]:.1f} %, words {100 * rates[1]:.1f} % wrong of {len(clips)} texts", flush=True)
        for group in sorted({c.group for c in clips}):
            some = [c for c in clips if c.group == group]
            rates = training.error_rates(some, hear)
            print(f"  {group}: letters {100 * rates[0]:.1f} %, words {100 * rates[1]:.1f} % of {len(some)} texts", flush=True)
    for clip in corpus.load(speech, "new-voices")[:5]:
        print(f"  {clip.group}: {clip.text!r} -> {hear(clip.samples)!r}", flush=True)


def main():
    options = loop.arguments(__doc__, "pronunciation.onnx and .vocab.json", 4800, 48, 1.2e-2).parse_args()
    loop.prepare(options)
    from ctc import export, network, training

    shape = network.Shape()
    optim = training.muon_and_adamw()
    flat, ctc = (training.make_step(shape, optim, loss) for loss in (training.flat_loss, training.loss))
    weights = loop.run(options, network.initialise(shape, options.seed), optim, lambda n: flat if n <= FLAT_STEPS else ctc,
                       (start_loader, (options.speech, options.work, options.seconds, options.seed), load_batch),
                       lambda w: evaluate(w, shape, options.speech, 40))
    export.write(options.out, {name: np.asarray(value) for name, value in weights.items()}, shape)
    evaluate(weights, shape, options.speech)


if __name__ == "__main__":
    main()
