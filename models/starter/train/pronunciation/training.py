"""Features of recordings, kept in a file, and the training of the head with them."""

import json
import math
import pathlib
import time

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F

from pronunciation import heads

BATCH = 16  # readings
WARM = 60  # steps
HIDDEN = 0.03  # share of the frames whose features are hidden


def normalised(samples: np.ndarray) -> np.ndarray:
    """Brings a clip to mean 0 and variance 1, as the engine does."""
    samples = samples - samples.mean()
    return (samples / np.sqrt(np.mean(samples * samples) + 1e-7)).astype(np.float32)


def noisy(rng: np.random.Generator, samples: np.ndarray, share: float) -> np.ndarray:
    """Adds white or pink noise to a share of the clips, 8 to 35 dB below the speech."""
    if rng.random() >= share:
        return samples
    noise = rng.standard_normal(len(samples))
    if rng.random() < 0.6:
        hertz = np.maximum(np.fft.rfftfreq(len(samples), 1 / 16000), 20)
        noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(hertz), len(samples))
    return samples + noise / noise.std() * samples.std() * 10 ** (-rng.uniform(8, 35) / 20)


class Features:
    """The features of clips, in 16 bits in a file."""

    def __init__(self, folder: pathlib.Path, name: str, width: int):
        self.path, self.width = folder / f"{name}.f16", width
        self.index = folder / f"{name}.json"
        if self.index.exists():
            self.open()

    def open(self):
        self.names, self.ends = json.loads(self.index.read_text())
        self.places = {name: i for i, name in enumerate(self.names)}
        self.data = np.memmap(self.path, np.float16, "r").reshape(-1, self.width)

    def make(self, model: bytes, clips) -> None:
        """Computes the features of clips: names and samples."""
        if self.index.exists():
            return
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        names, ends, started = [], [], time.monotonic()
        with open(self.path, "wb") as file:
            for name, samples in clips:
                computed = session.run(None, {"input_values": normalised(samples)[None]})[0][0].astype(np.float16)
                file.write(computed.tobytes())
                names.append(name)
                ends.append((ends[-1] if ends else 0) + len(computed))
                if len(names) % 100 == 0:
                    print(f"{self.path.stem}: {len(names)} clips, {ends[-1]} frames in {time.monotonic() - started:.0f} s", flush=True)
        self.index.write_text(json.dumps([names, ends]))
        self.open()

    def of(self, name: str) -> np.ndarray:
        i = self.places[name]
        return self.data[self.ends[i - 1] if i else 0:self.ends[i]]


def padded(arrays: list[np.ndarray]):
    length = max(map(len, arrays))
    x, mask = np.zeros((len(arrays), length, arrays[0].shape[1]), np.float32), np.zeros((len(arrays), length), np.float32)
    for row, array in enumerate(arrays):
        x[row, :len(array)], mask[row, :len(array)] = array, 1
    return torch.from_numpy(x), torch.from_numpy(mask)


def batches(lengths: list[int], rng: np.random.Generator) -> list[list[int]]:
    """Batches of readings of like length, in random order."""
    order = np.argsort(np.array(lengths) + rng.uniform(0, 20, len(lengths)))
    rows = [order[i:i + BATCH].tolist() for i in range(0, len(order), BATCH)]
    rng.shuffle(rows)
    return rows


def train(readings, features, epochs: int, rate: float, seed: int, out: pathlib.Path, start, evaluate) -> heads.Head:
    """Trains a head, a new one or the one of the file start. features gives those of a reading. A new head learns ratings
    from the second epoch on, because they need alignments; these are renewed every second epoch."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sample = np.concatenate([np.asarray(features(readings[i]), np.float32) for i in rng.choice(len(readings), 150)])
    model = heads.Head(torch.from_numpy(sample.mean(0)), torch.from_numpy(sample.std(0) + 1e-3))
    if start:
        model.load_state_dict(torch.load(start))
    lengths, first = [len(features(r)) for r in readings], 0 if start else 1
    optim = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.02)
    steps, step, spans, started = epochs * -(-len(readings) // BATCH), 0, {}, time.monotonic()
    for epoch in range(epochs):
        model.train()
        losses = []
        for rows in batches(lengths, rng):
            for group in optim.param_groups:
                group["lr"] = rate * min(1, (step + 1) / WARM) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * step / steps)))
            step += 1
            chosen = [readings[i] for i in rows]
            x, mask = padded([features(r) for r in chosen])
            x = x * (torch.rand(*mask.shape, 1) >= HIDDEN)
            logits, ratings, fluency = model(x, mask)
            loss = heads.ctc_loss(logits, chosen, [lengths[i] for i in rows])
            if epoch >= first:
                if (epoch - first) % 2 == 0:
                    scores = F.log_softmax(logits.detach(), -1).numpy()
                    spans.update({i: heads.aligned(scores[b, :lengths[i]], readings[i].labels) for b, i in enumerate(rows)})
                loss = loss + heads.rating_losses(ratings, fluency, chosen, [spans[i] for i in rows])
            optim.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optim.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.3f}, {time.monotonic() - started:.0f} s", flush=True)
        torch.save(model.state_dict(), out)
        if epoch == epochs - 1:
            evaluate(model.eval())
    return model.eval()
