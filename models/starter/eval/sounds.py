"""Sounds as a microphone has them: speech with a room's quiet around it, and noise without words."""

import numpy as np

RATE = 16000  # samples a second
AROUND = 0.25  # seconds of silence before and after speech
NOISE = -30  # dB: white noise below the speech


def microphone(samples: np.ndarray, rng: np.random.Generator) -> bytes:
    """A clip as a good microphone would have it: silence around it, and a little noise; PCM of 16 bits at RATE."""
    edge = int(AROUND * RATE)
    level = samples.astype(np.float32).std() * 10 ** (NOISE / 20)
    padded = np.pad(samples, (edge, edge)) + rng.standard_normal(len(samples) + 2 * edge) * level
    return np.clip(padded, -32768, 32767).astype("<i2").tobytes()


def empty(seed: int) -> dict[str, list[bytes]]:
    """Sounds without words, at loudnesses from a quiet room's to a street's."""
    rng = np.random.default_rng(seed)
    cases = [(seconds, level) for level in (-60, -40, -25, -15) for seconds in (1, 4, 10)]  # level: dB of full scale
    out = {"silence": [pcm(np.zeros(int(seconds * RATE)), 0) for seconds in (0.5, 1, 2, 5, 10, 20)]}
    out["white noise"] = [pcm(rng.standard_normal(seconds * RATE), level) for seconds, level in cases]
    out["pink noise"] = [pcm(pink(rng, seconds * RATE), level) for seconds, level in cases]
    out["mains hum"] = [pcm(hum(rng.choice((50, 60)), seconds * RATE), level) for seconds, level in cases]
    return out


def pcm(wave: np.ndarray, level: float) -> bytes:
    """Brings a wave to an effective value in dB of full scale."""
    effective = np.sqrt(np.mean(wave**2))
    scaled = wave / effective * 32768 * 10 ** (level / 20) if effective else wave
    return np.clip(scaled, -32768, 32767).astype("<i2").tobytes()


def pink(rng: np.random.Generator, length: int) -> np.ndarray:
    """Noise of equal power in every octave, from 20 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 20)
    return np.fft.irfft(spectrum / np.sqrt(hertz), length)


def hum(hertz: int, length: int) -> np.ndarray:
    """The mains' hum and its overtones, each half as strong as the one below."""
    times = np.arange(length) / RATE
    return sum(0.5**n * np.sin(2 * np.pi * hertz * (n + 1) * times) for n in range(6))
