#!/usr/bin/env python3
"""Trains the starter model for speech to text on the speech of make_speech.py, and writes it in whisper.cpp's format.

    venv/bin/python train_whisper.py --speech /somewhere/speech --work /somewhere/whisper --out ..

First the encoder learns letters (CTC), which give the times of the words. Then the whole network learns to write text,
on rows of a few seconds; its first attention heads are trained to follow the words. Then the encoder alone continues
with letters, with Muon and larger batches. Finally the decoder alone learns from rows that are encoded once, among them
whole windows of 30 seconds, as in whisper.cpp. The program writes checkpoints and continues from them when it is
started again, also with another number of --steps. --export writes the model of the last checkpoint. The vocabulary is
that of the existing whisper.bin.
"""

import argparse
import collections
import functools
import multiprocessing
import pathlib
import sys
import time

import numpy as np

import loop

STARTER = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(STARTER))
import make_whisper  # noqa: E402  (its folder is no package)

AHEAD = 6  # batches that are made before they are needed
SPREAD_STEPS = 200  # at the beginning: letters at guessed times
WHOLE_FROM = 0.94  # of the steps: from here on whole windows
AMID_FROM = 0.8  # of the steps: from here on rows from amid a window
# rows.Shares, by what is learnt.
LETTERS, WORDS, PLACES, WINDOWS = {}, {"long": 0.1}, {"long": 0.25, "amid": 0.5}, {"long": 0.15, "whole": 0.7, "amid": 0.5}
LATE_LETTERS = {"heard": 0.3}  # an encoder that never has whole windows gets half as many letters again wrong in them

ENCODER_SECONDS = 45  # of audio in a batch of the encoder's own phase
DECODER_ROWS, DECODER_RATE = (45000, 4500, 1500, 500), 2e-3  # of the decoder's own phase

HEAD_STEPS, HEAD_RATE = 400, 1e-2  # of a new head for letters; AdamW has a part of the rate

_maker = None


def maker_of(options, seconds, seed, late):
    from asr import rows

    clips, spectra = collection(options)
    return rows.Maker(clips, spectra, *text_tools(clips), make_whisper.mel_filters(80), seconds, seed, late)


def start_loader(*arguments):
    """Begins a process that makes batches."""
    global _maker
    _maker = maker_of(*arguments)


def load_batch(number, shares):
    from asr import rows

    return _maker.batch(number, rows.Shares(**shares))


def batches(options, shares_at, done, until, seconds, seed, late=False):
    """Yields the batches of the steps from done to until, which another process makes."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, start_loader, (options, seconds, seed, late)) as pool:
        ask = lambda n: pool.apply_async(load_batch, (n, shares_at(n)))
        waiting = collections.deque(ask(n) for n in range(done, min(done + AHEAD, until)))
        for number in range(done, until):
            batch = waiting.popleft().get()
            if number + AHEAD < until:
                waiting.append(ask(number + AHEAD))
            yield batch


def text_tools(clips):
    from asr import text

    tokenizer = text.Tokenizer(make_whisper.vocabulary_of(STARTER / "whisper.bin"))
    return tokenizer, text.Table(tokenizer, sorted({c.text for c in clips}))


def collection(options):
    """Returns the training's clips, with their words' times if these are known, and their spectra by number."""
    from asr import features, rows, times
    from speech import corpus

    clips, spectra = [], []
    for folder in options.speech:
        heard = corpus.load(folder, "train")
        store = features.Store(options.work / f"{folder.name}.spectra", heard, make_whisper.mel_filters(80))
        found = times.read(options.work, folder, len(heard))
        for i, clip in enumerate(heard):
            clips.append(rows.Clip(len(spectra), clip.text, len(clip.samples) // 320, found[i]))
            spectra.append((store, i))
    return clips, Spectra(spectra)


class Spectra:
    """The spectra of several stores, one after the other."""

    def __init__(self, places):
        self.places = places

    def __getitem__(self, number):
        store, i = self.places[number]
        return store[i]


def begun(options, ids, shape):
    """Returns the weights of --start, or random ones."""
    from asr import network

    weights = network.initialise(shape, len(ids), options.seed)
    return weights | (network.part_of(make_whisper.read_model(options.start), ids) if options.start else {})


def with_letters(options, weights, shape):
    """Trains a head for letters on the encoder of a file, which has none; returns the weights."""
    from asr import encoder

    made = lambda done, until: batches(options, lambda n: LETTERS, done, until, ENCODER_SECONDS, options.seed + 5, late=True)
    return encoder.train(options.work / "head.npz", weights, made, HEAD_STEPS, HEAD_RATE, shape, ("letters.",))


def train_encoder(options, weights, shape):
    """The last phase but one, on letters; returns the weights."""
    from asr import encoder

    made = lambda done, until: batches(options, lambda n: LATE_LETTERS, done, until, ENCODER_SECONDS, options.seed + 7, late=True)
    return encoder.train(options.work / "encoder.npz", weights, made, options.encoder_steps, options.encoder_rate, shape)


def train_decoder(options, weights, shape):
    """The last phase; returns the weights."""
    from asr import decoder

    make_maker = functools.partial(maker_of, options, options.seconds, options.seed + 21, True)
    memories = decoder.remember_all(options.work, make_maker, DECODER_ROWS, weights, shape)
    return decoder.train(options.work / "decoder.npz", weights, memories, options.decoder_steps, DECODER_RATE, shape, options.seed)


def evaluate(weights, shape, options, seconds, count=None):
    """Prints the error rates of the held-out sentences, heard in a window of so many seconds."""
    from asr.listen import Listener, words_wrong
    from speech import corpus

    listener = Listener(weights, shape, *text_tools(collection(options)[0]), make_whisper.mel_filters(80), seconds)
    for kind in ("trained-voices", "new-voices"):
        clips = corpus.load(options.speech[0], kind)[:count]
        texts = listener.hear([clip.samples for clip in clips])
        rate = words_wrong([clip.text for clip in clips], texts)
        print(f"{kind}: {100 * rate:.1f} % of the words wrong in {len(clips)} sentences", flush=True)
        for clip, text in list(zip(clips, texts))[:3]:
            print(f"  {clip.text!r} -> {text!r}", flush=True)


def export(weights, shape, options):
    """Writes whisper.bin, and its line in SHA256SUMS where there are such."""
    from asr import network

    tokenizer, table = text_tools(collection(options)[0])
    form = make_whisper.Shape(width=shape.width, heads=shape.heads, encoder_layers=shape.encoder_layers,
                              decoder_layers=shape.decoder_layers)
    path = options.out / "whisper.bin"
    partial = path.with_suffix(".partial")
    make_whisper.write_model(partial, form, tokenizer.vocabulary, network.full_weights(weights, table.ids, shape), "q5_1")
    partial.rename(path)
    if (options.out / "SHA256SUMS").exists():
        make_whisper.write_sum(path)
    print(f"wrote {path} ({path.stat().st_size:,} bytes)", flush=True)


def run(options, weights, state, done, shape, until, loss_of, shares_at):
    """Trains up to a step; returns the weights and the optimiser's state."""
    from asr import training

    step = training.make_step(shape, loss_of, training.optimiser())
    recent, started = [], time.monotonic()
    for number, batch in enumerate(batches(options, shares_at, done, until, options.seconds, options.seed), done + 1):
        rate = np.float32(training.rate_at(number - 1, options.steps, options.rate))
        weights, state, parts = step(weights, state, rate, *batch)
        recent.append(parts)
        if number % 50 == 0:
            side, words, right = np.mean(recent, 0)
            print(f"step {number}/{options.steps}: letters {side:.3f}, tokens {words:.3f}, right {right:.3f}, "
                  f"{time.monotonic() - started:.0f} s", flush=True)
            recent = []
        if number % 200 == 0 or number == until:
            training.save(options.work / "checkpoint.npz", number, weights, state)
        if number % options.check == 0 and number != options.steps and number > options.letters_steps:
            evaluate(weights, shape, options, 30.0 if "whole" in shares_at(number) else 9.6, 30)
    return weights, state


def train_all(options, weights, shape):
    """The first phases: the encoder alone, then all that there is; returns the weights."""
    from asr import times, training

    done = 0
    state, checkpoint = training.optimiser().init(weights), options.work / "checkpoint.npz"
    if checkpoint.exists():
        done, weights, state = training.restore(checkpoint, state)
    print(f"{sum(w.size for w in weights.values()):,} parameters; {done} of {options.steps} steps are done", flush=True)
    for until, loss_of in ((SPREAD_STEPS, training.spread_loss), (options.letters_steps, training.letters_loss)):
        if done < until:
            weights, state = run(options, weights, state, done, shape, until, loss_of, lambda n: LETTERS)
            done = until
    times.find(options.speech, options.work, weights, shape, make_whisper.mel_filters(80))
    if done < options.steps:
        weights, _ = run(options, weights, state, done, shape, options.steps, training.loss,
                         lambda n: shares_at(n / options.steps))
    return weights


def shares_at(done):
    """What is learnt after a part of the steps."""
    return WINDOWS if done >= WHOLE_FROM else PLACES if done >= AMID_FROM else WORDS


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=pathlib.Path, required=True, nargs="+", help="folders that make_speech.py and make_voice_speech.py wrote")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for whisper.bin")
    parser.add_argument("--start", type=pathlib.Path, help="a whisper.bin to continue from; skips the first phases")
    parser.add_argument("--steps", type=int, default=10400, help="steps of the first two phases")
    parser.add_argument("--letters-steps", type=int, default=7300, help="steps of the first phase, the encoder alone")
    parser.add_argument("--encoder-steps", type=int, default=4800, help="steps of the third phase, the encoder alone; 0: none")
    parser.add_argument("--encoder-rate", type=float, default=4e-3)
    parser.add_argument("--decoder-steps", type=int, default=7000, help="steps of the last phase, the decoder alone; 0: none")
    parser.add_argument("--seconds", type=float, default=18, help="seconds of audio per batch")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--check", type=int, default=1000, help="steps between evaluations")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--export", action="store_true", help="do not train; only write the model")
    return parser.parse_args()


def main():
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    loop.prepare(options)
    from asr import network, times, training

    shape = network.Shape()
    weights = begun(options, text_tools(collection(options)[0])[1].ids, shape)
    if options.export:
        for path in (options.work / f"{name}.npz" for name in ("checkpoint", "encoder", "decoder")):
            weights |= training.weights_of(path) if path.exists() else {}
    else:
        weights = (with_letters if options.start else train_all)(options, weights, shape)
        if options.encoder_steps:
            weights = train_encoder(options, weights, shape)
        times.find(options.speech, options.work, weights, shape, make_whisper.mel_filters(80))
        if options.decoder_steps:
            weights = train_decoder(options, weights, shape)
    export({name: np.asarray(value) for name, value in weights.items()}, shape, options)
    if not options.export:
        evaluate(weights, shape, options, 30.0)


if __name__ == "__main__":
    main()
