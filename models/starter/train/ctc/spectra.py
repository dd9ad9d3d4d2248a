"""Batches for the training. Spectra are augmented, not audio, because that needs much less processor time.

Clips are turned into powers of mel bands once. A batch then stretches them in time, moves their bands, as another vocal
tract would (Jaitly and Hinton, 2013), makes formants flatter or sharper, and adds echo, a microphone's tone and noise.
"""

import dataclasses
import pathlib

import numpy as np
from scipy.signal import lfilter

from ctc.training import label, spread
from speech import augment, corpus, features

LABELS_A_SECOND = 28  # room for labels in a batch, by its rows' length
PEOPLE = 1.7  # times as often: there are few such voices, and they are harder than espeak-ng's
TINY = 1e-5  # added to powers before they are stored as logarithms
WHITE = 150.0  # power of a band of white noise of variance 1
MELS = 2595 * np.log10(1 + 7600.0 / 700) - 2595 * np.log10(1 + 60.0 / 700)


def hertz_of(band: np.ndarray) -> np.ndarray:
    """The middle of a band of features.mel_filters."""
    lowest = 2595 * np.log10(1 + 60.0 / 700)
    return 700 * (10 ** ((lowest + (band + 1) * MELS / (features.BANDS + 1)) / 2595) - 1)


HERTZ = hertz_of(np.arange(features.BANDS))
SHARES = np.gradient(HERTZ) / np.gradient(HERTZ).sum() / WHITE  # what a band's power adds to the variance


def powers(samples: np.ndarray) -> np.ndarray:
    """The powers of the bands of samples as they are, [frames, bands]."""
    return np.exp(features.log_mel(samples) / features.SCALE + features.MEAN) - features.FLOOR


def warping(factors: np.ndarray) -> np.ndarray:
    """The matrix [bands, bands] that moves what is at each band's frequency up by the band's factor."""
    at = np.clip(np.interp(HERTZ / factors, HERTZ, np.arange(features.BANDS)), 0, features.BANDS - 1.001)
    matrix = np.zeros((features.BANDS, features.BANDS), np.float32)
    low, columns = at.astype(int), np.arange(features.BANDS)
    matrix[low, columns], matrix[low + 1, columns] = 1 - (at - low), at - low
    return matrix


def tempo(rng: np.random.Generator, frames: int, most: int) -> np.ndarray:
    """The places in a clip of so many frames that are heard one after another, at most so many, now faster, now slower."""
    waves = np.sin(2 * np.pi * (np.arange(most) / rng.uniform(15, 60) + rng.random()))
    at = np.cumsum(rng.uniform(0.85, 1.2) * np.exp(rng.uniform(0, 0.3) * waves))
    at *= max(1.0, (frames - 1) / at[-1])
    return at[at < frames - 1]


def voiced(rng: np.random.Generator, spectrum: np.ndarray) -> np.ndarray:
    """Logarithms of powers as of another voice: its vocal tract's length, each formant's place, their sharpness."""
    if rng.random() < 0.85:
        bend = np.cos(np.pi * (rng.uniform(0.5, 2) * np.linspace(0, 1, features.BANDS) + rng.uniform(0, 2)))
        spectrum = spectrum @ warping(np.exp(rng.uniform(-0.19, 0.19) + rng.uniform(0, 0.06) * bend))
    if rng.random() < 0.5:
        middle = spectrum.mean(1, keepdims=True)
        spectrum = middle + (spectrum - middle) * np.float32(rng.uniform(0.8, 1.2))
    if rng.random() < 0.3:
        beside = np.pad(spectrum, ((0, 0), (1, 1)), "edge")
        spectrum = 0.5 * spectrum + 0.25 * (beside[:, :-2] + beside[:, 2:])
    return spectrum


def store(clips: list[corpus.Clip], path: pathlib.Path) -> np.ndarray:
    """Computes the clips' spectra, or maps the file that has them: logarithms, [all frames, bands], float16."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [np.log(np.maximum(powers(features.normalised(c.samples)), 0) + TINY).astype(np.float16) for c in clips]
        temporary = path.with_suffix(".tmp.npy")
        np.save(temporary, np.concatenate(rows))
        temporary.rename(path)
    return np.load(path, mmap_mode="r")


def frames_of(clip: corpus.Clip) -> int:
    return (len(clip.samples) + 2 * features.EDGE - features.WINDOW) // features.HOP + 1


@dataclasses.dataclass(frozen=True)
class Noise:
    """Powers of the bands of noises of variance 1, white to brown; some are taken for each clip."""

    bank: list[np.ndarray]

    @staticmethod
    def of(seed: int) -> "Noise":
        return Noise([powers(noise) for noise in augment.Noises(seed).bank])

    def cut(self, rng: np.random.Generator, frames: int) -> np.ndarray:
        bank = self.bank[0 if rng.random() < 0.5 else rng.integers(len(self.bank))]
        at = rng.integers(len(bank) - frames)
        return bank[at:at + frames]


def echoed(rng: np.random.Generator, power: np.ndarray) -> np.ndarray:
    """Adds the decaying echo of a room."""
    decay = 10 ** (-6 * 0.01 / rng.uniform(0.08, 0.5))  # of the power in 10 ms, by the seconds to -60 dB
    echo = lfilter([0, rng.uniform(0.02, 0.5) * (1 - decay)], [1, -decay], power, axis=0)
    return power + echo.astype(np.float32)


def microphone(rng: np.random.Generator) -> np.ndarray:
    """What a microphone makes of the bands' powers: a slope, some waves, maybe an end that is missing."""
    place = np.linspace(-1, 1, features.BANDS)
    decibels = rng.uniform(-6, 6) * place
    for waves in (1, 2, 3):
        decibels += rng.normal(0, 1.5) * np.cos(np.pi * (waves * place + rng.uniform(0, 2)))
    if rng.random() < 0.12:
        decibels -= 30 * np.clip((HERTZ / rng.uniform(3400, 7000) - 1) * 4, 0, 1)
    if rng.random() < 0.12:
        decibels -= 20 * np.clip(1 - HERTZ / rng.uniform(80, 350), 0, 1)
    return (10 ** (decibels / 10)).astype(np.float32)


def masked(rng: np.random.Generator, mel: np.ndarray) -> np.ndarray:
    """Takes a band and moments out of a spectrum (SpecAugment; Park et al., 2019)."""
    if rng.random() < 0.5:
        width = rng.integers(1, 12)
        at = rng.integers(0, mel.shape[1] - width)
        mel[:, at:at + width] = 0
    for _ in range(rng.integers(0, 3)):
        width = rng.integers(1, 9)
        at = rng.integers(0, max(1, mel.shape[0] - width))
        mel[at:at + width] = 0
    return mel


class Batches:
    """Batches of clips of like length, each with its own seed: batch n is the same whenever it is made."""

    def __init__(self, clips: list[corpus.Clip], path: pathlib.Path, lengths: list[float], seconds: float, seed: int):
        """Lengths are those of the batches' rows, in seconds; seconds is what a batch holds together."""
        self.clips, self.seed, self.noise, self.spectra = clips, seed, Noise.of(seed), store(clips, path)
        self.ends = np.cumsum([frames_of(c) for c in clips])
        if self.ends[-1] != len(self.spectra):
            raise SystemExit(f"{path} is of other speech: delete it")
        self.rows = [(int(length * 100), max(1, int(seconds / length))) for length in lengths]  # in frames of 10 ms
        frames = np.diff(self.ends, prepend=0)
        places = np.searchsorted(np.array([length for length, _ in self.rows]) * 0.93, frames)
        self.buckets = [np.flatnonzero(places == i) for i in range(len(lengths))]
        often = np.where(np.array([c.group for c in clips]) == "people", PEOPLE, 1.0)
        self.shares = [often[b] / often[b].sum() for b in self.buckets]
        weights = np.array([(often * frames)[b].sum() for b in self.buckets])
        self.weights = weights / weights.sum()

    def batch(self, number: int, shortest: bool):
        """Returns (mel, labels, padding of the labels, guess of the symbol of each frame); shortest: of short clips."""
        rng = np.random.default_rng((self.seed, number))
        weights = self.weights * (np.arange(len(self.rows)) < 2) if shortest else self.weights
        length, count = self.rows[rng.choice(len(self.rows), p=weights / weights.sum())]
        place = [row[0] for row in self.rows].index(length)
        mel = np.empty((count, length, features.BANDS), np.float32)
        labels = np.zeros((count, int(length / 100 * LABELS_A_SECOND)), np.int32)
        padding = np.ones(labels.shape, np.float32)
        guess = np.zeros((count, length // 2), np.int32)
        for i, chosen in enumerate(rng.choice(self.buckets[place], count, p=self.shares[place])):
            mel[i], begin, end = self.recorded(rng, chosen, length)
            said = label(self.clips[chosen].text)[:labels.shape[1]]
            labels[i, :len(said)], padding[i, :len(said)] = said, 0
            guess[i] = spread(said, begin / 2, end / 2, guess.shape[1])
        return mel, labels, padding, guess

    def recorded(self, rng: np.random.Generator, chosen: int, length: int):
        """Returns a clip as a recording of so many frames, and where in it the speech begins and ends."""
        spectrum = self.spectra[self.ends[chosen] - frames_of(self.clips[chosen]):self.ends[chosen]].astype(np.float32)
        at = tempo(rng, len(spectrum), length)
        low = at.astype(int)
        share = (at - low).astype(np.float32)[:, None]
        spectrum = voiced(rng, spectrum[low] * (1 - share) + spectrum[low + 1] * share)
        begin = int(rng.integers(0, length - len(spectrum) + 1))
        power = np.zeros((length, features.BANDS), np.float32)
        power[begin:begin + len(spectrum)] = np.exp(spectrum)
        if rng.random() < 0.3:
            power = echoed(rng, power)
        if rng.random() < 0.7:
            power *= microphone(rng)
        if rng.random() < 0.75:
            level = (power[begin:begin + len(spectrum)] @ SHARES).mean() * 10 ** (-rng.uniform(12, 45) / 10)
            power = power + self.noise.cut(rng, length) * np.float32(level)
        power /= np.float32((power @ SHARES).mean() + 1e-7)
        mel = (np.log(power + np.float32(features.FLOOR)) - np.float32(features.MEAN)) * np.float32(features.SCALE)
        return masked(rng, mel), begin, begin + len(spectrum)
