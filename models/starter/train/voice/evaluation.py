"""Measures the difference between the voice and its teacher on held-out sentences, and its speed."""

import functools
import time

import jax
import numpy as np

from voice import examples, network, phonemes, symbols, training, vocoder

DECIBELS = 10 / np.log(10) * np.sqrt(2)  # of a distance of mel-cepstra


@functools.cache
def _compiled(shape):
    def both(w, ids, index):
        x, lengths = network.read(w, ids, (ids != symbols.IDS[symbols.PAD])[..., None].astype("float32"), shape)
        return lengths, training.by_half(network.say(w, x, index, shape))

    return jax.jit(both)


def predicted(weights, chosen, mean, deviation, shape):
    """Yields (example, durations, parameters of half frames) with the teacher's timing."""
    for room, fits in examples.Batches(chosen, 1, 0).buckets:
        for e in fits:
            ids, _, index, _, _ = examples.collate([e], *room)
            lengths, out = _compiled(shape)(weights, ids, index)
            yield e, np.asarray(lengths)[0, :len(e.ids)], np.asarray(out)[0, :2 * e.ends[-1]] * deviation + mean


def parameters(weights, chosen, mean, deviation, shape) -> None:
    """Prints the distances of durations, mel-cepstra and pitch."""
    apart, pitch, wrong, durations, kept = [], [], [], [], []
    for e, lengths, out in predicted(weights, chosen, mean, deviation, shape):
        goal, heard = e.frames.reshape(-1, vocoder.COLUMNS), e.heard.reshape(-1) > 0.5
        loud = goal[:, 0] > goal[:, 0].max() - 6  # not the silence
        difference = (out - goal)[loud, 1:vocoder.ORDER]
        apart.append(DECIBELS * np.sqrt((difference**2).sum(1)))
        kept.append(out[loud, 1:vocoder.ORDER].std(0) / goal[loud, 1:vocoder.ORDER].std(0))
        pitch.append((out - goal)[heard, vocoder.PITCH] * 12 / np.log(2))
        wrong.append((out[:, vocoder.VOICED] > 0) != heard)
        durations.append(((lengths - e.lengths) * vocoder.FRAME / vocoder.RATE * 1000)[e.lengths > 0])
    rms = lambda parts: np.sqrt(np.mean(np.concatenate(parts) ** 2))
    print(f"held out: mel-cepstral distortion {np.mean(np.concatenate(apart)):.2f} dB, variation kept {np.mean(kept):.2f}, pitch off by "
          f"{rms(pitch):.2f} semitones (RMS), voicing wrong in {100 * np.mean(np.concatenate(wrong)):.1f} % of frames, durations off by "
          f"{rms(durations):.0f} ms (RMS), of {len(kept)} sentences", flush=True)


def gains(weights, chosen, mean, deviation, shape) -> np.ndarray:
    """What the mel-cepstra's deviations must be multiplied by to vary as the teacher's: a mean of guesses varies less."""
    kept = []
    for e, _, out in predicted(weights, chosen, mean, deviation, shape):
        goal = e.frames.reshape(-1, vocoder.COLUMNS)
        kept.append(out.std(0) / np.maximum(goal.std(0), 1e-6))
    found = np.ones(vocoder.COLUMNS, np.float32)
    found[1:vocoder.ORDER] = np.clip(1 / np.median(kept, 0)[1:vocoder.ORDER], 1, 1.3)
    return found


def speed(path) -> None:
    """Prints the real-time factor of one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    ids, _ = symbols.to_ids(phonemes.sentences("The quick brown fox jumps over the lazy dog, and then it sleeps under a tree.")[0])
    feed = {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": np.array([0.667, 1, 0.8], np.float32)}
    session.run(None, feed)
    started = time.process_time()
    samples = sum(session.run(["output"], feed)[0].size for _ in range(10))
    print(f"real-time factor {(time.process_time() - started) * vocoder.RATE / samples:.4f}", flush=True)
