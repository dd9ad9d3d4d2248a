#!/usr/bin/env python3
"""Trains the starter model for speech to text on the speech of make_speech.py, and writes it as whisper.cpp reads it.

    venv/bin/python train_whisper.py --speech /somewhere/speech --work /somewhere/whisper --out /somewhere/whisper

Rows are as long as the clips at first; the last part of the steps has whole windows of 30 seconds, with sentences and
silence, as whisper.cpp shows them to a model. Goes on from its checkpoint as train_ctc.py does. The vocabulary is
that of the whisper.bin that make_whisper.py wrote.
"""

import functools
import pathlib
import sys

import numpy as np

import loop

STARTER = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(STARTER))
import make_whisper  # noqa: E402  (its folder is no package)

LENGTHS = [2.0, 3.0, 4.5]  # of the rows of batches, in seconds
FLAT_STEPS = 150  # at the beginning: letters by guessed alignments
WHOLE_SHARE = 0.15  # of the steps, at the end: whole windows

_loader = None


def start_loader(speech, seconds, seed, whole_from):
    """Begins a process that makes batches."""
    global _loader
    from asr import training
    from speech import corpus

    clips = corpus.load(speech, "train")
    tokenizer, table = text_tools(clips)
    batches, filters = corpus.Batches(clips, LENGTHS, seconds, seed), make_whisper.mel_filters(80)
    _loader = lambda n: training.batch(batches, n, n < FLAT_STEPS, n >= whole_from, tokenizer, table, filters)


def load_batch(number):
    return _loader(number)


def text_tools(clips):
    from asr import text

    tokenizer = text.Tokenizer(text.vocabulary_of(STARTER / "whisper.bin"))
    return tokenizer, text.Table(tokenizer, sorted({c.text for c in clips}))


def evaluate(weights, shape, speech, tokenizer, table, seconds, count=None):
    """Prints the error rates of the held-out sentences, heard in a window of so many seconds."""
    from asr.training import Listener
    from ctc.training import error_rates
    from speech import corpus
    from speech.sentences import letters

    listener = Listener(weights, shape, tokenizer, table, make_whisper.mel_filters(80), seconds)
    for kind in ("trained-voices", "new-voices"):
        clips = corpus.load(speech, kind)[:count]
        rates = error_rates(clips, lambda samples: letters(listener.hear(samples)))
        print(f"{kind}: letters {100 * rates[0]:.1f} %, words {100 * rates[1]:.1f} % wrong of {len(clips)} sentences", flush=True)
    for clip in corpus.load(speech, "new-voices")[:3]:
        print(f"  {clip.text!r} -> {listener.hear(clip.samples)!r}", flush=True)


def main():
    options = loop.arguments(__doc__, "whisper.bin", 6000, 24, 1e-3).parse_args()
    loop.prepare(options)
    from asr import network, training
    from ctc.training import make_step, optimiser
    from speech import corpus

    shape = network.Shape()
    tokenizer, table = text_tools(corpus.load(options.speech, "train"))
    whole_from = int(options.steps * (1 - WHOLE_SHARE))
    optim = optimiser()
    flat, plain = (make_step(shape, optim, loss) for loss in (training.flat_loss, training.loss))
    check = functools.partial(evaluate, shape=shape, speech=options.speech, tokenizer=tokenizer, table=table)
    weights = loop.run(options, network.initialise(shape, len(table.ids), options.seed), optim,
                       lambda n: flat if n <= FLAT_STEPS else plain,
                       (start_loader, (options.speech, options.seconds, options.seed, whole_from), load_batch),
                       lambda w: check(w, seconds=LENGTHS[-1], count=30))
    options.out.mkdir(parents=True, exist_ok=True)
    form = make_whisper.Shape(width=shape.width, heads=shape.heads, encoder_layers=shape.encoder_layers,
                              decoder_layers=shape.decoder_layers)
    tensors = {name: np.asarray(value) for name, value in network.full_weights(weights, table.ids, shape).items()}
    make_whisper.write_model(options.out / "whisper.bin", form, tokenizer.vocabulary, tensors, "q5_1")
    print(f"wrote {options.out / 'whisper.bin'} ({(options.out / 'whisper.bin').stat().st_size:,} bytes)")
    check(weights, seconds=30.0)


if __name__ == "__main__":
    main()
