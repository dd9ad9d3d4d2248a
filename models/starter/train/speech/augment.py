"""Makes speech sound like a recording: speed, room, microphone, noise."""

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

RATE = 16000


def speed(samples: np.ndarray, factor: float) -> np.ndarray:
    """Plays faster and higher by a factor."""
    return np.interp(np.arange(0, len(samples) - 1, factor), np.arange(len(samples)), samples).astype(np.float32)


def room(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Adds the echo of a small room: noise that decays, after the direct sound."""
    decay = rng.uniform(0.08, 0.45)  # seconds to -60 dB
    times = np.arange(int(decay * RATE), dtype=np.float32) / RATE
    response = rng.standard_normal(len(times), np.float32) * np.exp(np.float32(-6.9 / decay) * times)
    response[:int(rng.uniform(0.001, 0.01) * RATE)] = 0
    response *= rng.uniform(0.1, 0.7) / (np.sqrt(np.sum(response**2)) + 1e-9)
    response[0] = 1
    return fftconvolve(samples, response)[:len(samples)].astype(np.float32)


def microphone(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Tilts the spectrum, and maybe cuts its ends off."""
    samples = samples.copy()
    samples[1:] += np.float32(rng.uniform(-0.6, 0.6)) * samples[:-1]
    if rng.random() < 0.25:
        samples = sosfilt(butter(2, rng.uniform(3200, 7000), "low", fs=RATE, output="sos"), samples)
    if rng.random() < 0.25:
        samples = sosfilt(butter(2, rng.uniform(60, 300), "high", fs=RATE, output="sos"), samples)
    return samples.astype(np.float32)


class Noises:
    """Noise of variance 1, white to brown; clips are cut from what is made once."""

    def __init__(self, seed: int, seconds: int = 60):
        rng = np.random.default_rng(seed)
        spectrum = np.fft.rfft(rng.standard_normal(seconds * RATE))
        hertz = np.maximum(np.arange(len(spectrum)) / seconds, 20.0)
        bank = [np.fft.irfft(spectrum * hertz**-power) for power in (0.0, 0.5, 1.0)]
        self.bank = [(n / n.std()).astype(np.float32) for n in bank]

    def cut(self, rng: np.random.Generator, length: int) -> np.ndarray:
        bank = self.bank[rng.integers(len(self.bank))]
        at = rng.integers(len(bank) - length)
        return bank[at:at + length]


def recorded(rng: np.random.Generator, samples: np.ndarray, longest: int, other: np.ndarray, noises: Noises):
    """Returns a clip as a recording of at most `longest` samples, and where in it the speech begins and ends.

    other is speech for the background.
    """
    samples = samples.astype(np.float32) / 32768
    if rng.random() < 0.7:
        samples = speed(samples, max(rng.uniform(0.88, 1.14), len(samples) / longest))
    before = int(min(rng.uniform(0, 0.4) ** 2 * 2 * RATE, max(0, longest - len(samples))))
    after = int(min(rng.uniform(0, 0.5) ** 2 * 2 * RATE, max(0, longest - len(samples) - before)))
    begin, end = before, min(before + len(samples), longest)
    samples = np.pad(samples, (before, after))[:longest]
    loudness = samples.std() + 1e-5
    if rng.random() < 0.35:
        samples = room(rng, samples)
    if rng.random() < 0.7:
        samples = samples + noises.cut(rng, len(samples)) * np.float32(loudness * 10 ** (-rng.uniform(5, 45) / 20))
    if rng.random() < 0.1:
        babble = np.resize(other.astype(np.float32), len(samples))
        samples = samples + babble * np.float32(loudness / (babble.std() + 1e-5) * 10 ** (-rng.uniform(10, 25) / 20))
    if rng.random() < 0.6:
        samples = microphone(rng, samples)
    if rng.random() < 0.1:
        limit = np.abs(samples).max() * rng.uniform(0.3, 0.9)
        samples = np.clip(samples, -limit, limit)
    return samples, begin, end
