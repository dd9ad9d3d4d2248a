"""Shared by train_voice.py and train_whisper.py: batches in advance, checkpoints, progress."""

import argparse
import collections
import multiprocessing
import os
import pathlib
import signal
import sys
import time

AHEAD = 8  # batches that are made before they are needed


def arguments(description: str, outputs: str, steps: int, seconds: float, rate: float) -> argparse.ArgumentParser:
    """The options of a training, with its defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=pathlib.Path, required=True, help="folder that make_speech.py wrote")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--out", type=pathlib.Path, required=True, help=f"folder for {outputs}")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seconds", type=float, default=seconds, help="seconds of audio per batch")
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def prepare(options) -> None:
    """Sets JAX up; before it is used. From here on SIGTERM ends the processes of pools, too, which it would leave behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.threads == 1:
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    import jax

    jax.config.update("jax_compilation_cache_dir", str(options.work / "compiled"))


def run(options, weights, optim, step_of, loader, evaluate):
    """Trains from the checkpoint, if there is one, to the last step; returns the weights.

    step_of(number) gives the function for a step. loader is (initialiser, its arguments, function of a batch's number
    that makes it), for a process of its own. evaluate(weights) is called each 500 steps.
    """
    import numpy as np

    import steps

    state, done = optim.init(weights), 0
    checkpoint = options.work / "checkpoint.npz"
    if checkpoint.exists():
        done, weights, state = steps.restore(checkpoint, state)
    print(f"{sum(w.size for w in weights.values()):,} parameters; {done} of {options.steps} steps are done", flush=True)
    recent, started = [], time.monotonic()
    start, start_arguments, load = loader
    with multiprocessing.get_context("spawn").Pool(1, start, start_arguments) as pool:
        waiting = collections.deque(pool.apply_async(load, (n,)) for n in range(done, min(done + AHEAD, options.steps)))
        for number in range(done + 1, options.steps + 1):
            if number + AHEAD <= options.steps:
                waiting.append(pool.apply_async(load, (number + AHEAD - 1,)))
            rate = np.float32(steps.rate_at(number - 1, options.steps, options.rate))
            weights, state, value = step_of(number)(weights, state, rate, *waiting.popleft().get())
            recent.append(float(value))
            if number % 25 == 0:
                print(f"step {number}/{options.steps} loss {np.mean(recent):.3f} {time.monotonic() - started:.0f} s", flush=True)
                recent = []
            if number % 100 == 0 or number == options.steps:
                steps.save(checkpoint, number, weights, state)
            if number % 500 == 0 and number != options.steps:
                evaluate(weights)
    return weights
