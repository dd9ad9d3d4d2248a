#!/usr/bin/env python3
"""Trains the starter voice on speech of festival's cmu_us_slt_arctic_hts, and writes it in Piper's format.

    apt-get install festival festlex-cmu festvox-us-slt-hts htsengine
    python3 -m venv venv && venv/bin/pip install --require-hashes -r requirements.txt
    venv/bin/python train_voice.py --work /somewhere/voice --out ..

First creates the teacher's parameters in --work; existing shards are kept. Writes a checkpoint every 100 steps and
continues from it when it is started again. At the end it measures held-out sentences. Uses one core by default, except
for the shards.
"""

import argparse
import os
import pathlib

import loop

_batches = None


def start_loader(path, seconds, seed):
    """Begins a process that makes batches."""
    global _batches
    from voice import examples

    _batches = examples.Batches([e for e in examples.load(path) if not e.held_out()], seconds, seed)


def load_batch(number):
    return _batches.batch(number)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the shards and the checkpoint")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for voice.onnx and voice.onnx.json")
    parser.add_argument("--texts", type=int, default=4200, help="number of texts that the teacher speaks")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=16, help="seconds of audio per batch")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="number of processes that create shards")
    return parser.parse_args()


def main():
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    loop.prepare(options)
    import steps
    from voice import corpus, evaluation, examples, export, network, training

    path = options.work / "examples.npz"
    if not path.exists():
        shards = options.work / "data"
        corpus.make(shards, options.texts, options.seed, options.workers)
        examples.save(path, [examples.make(u) for u in corpus.load(shards)])
    made = {kind: [e for e in examples.load(path) if e.held_out() == kind] for kind in (False, True)}
    seconds = sum(e.ends[-1] for e in made[False]) * 256 / 22050
    print(f"{len(made[False])} sentences, {seconds / 3600:.2f} h; {len(made[True])} held out", flush=True)
    mean, deviation = examples.scales(made[False])
    shape, optim = network.Shape(), steps.optimiser()
    step = steps.make_step(shape, optim, lambda w, *batch: training.loss(w, *batch[:-1], mean, deviation, batch[-1]))
    weights = loop.run(options, network.initialise(shape, options.seed), optim, lambda n: step,
                       (start_loader, (path, options.seconds, options.seed), load_batch),
                       lambda w: evaluation.parameters(w, made[True][:100], mean, deviation, shape))
    evaluation.parameters(weights, made[True], mean, deviation, shape)
    gains = evaluation.gains(weights, made[False][:200], mean, deviation, shape)
    export.write(options.out, weights, mean, deviation * gains, made[False], shape)
    evaluation.speed(options.out / "voice.onnx")


if __name__ == "__main__":
    main()
