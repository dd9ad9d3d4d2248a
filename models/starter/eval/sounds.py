"""Sounds like those of a microphone: speech with silence around it, and noise without words."""

import numpy as np

RATE = 16000  # hertz
AROUND = 0.25  # seconds of silence before and after speech
NOISE = -30  # dB: white noise below the speech


def microphone(samples: np.ndarray, rng: np.random.Generator) -> bytes:
    """Returns a clip as from a good microphone, with silence around it and a little noise: 16-bit PCM at RATE."""
    edge = int(AROUND * RATE)
    level = samples.astype(np.float32).std() * 10 ** (NOISE / 20)
    padded = np.pad(samples, (edge, edge)) + rng.standard_normal(len(samples) + 2 * edge) * level
    return np.clip(padded, -32768, 32767).astype("<i2").tobytes()


def empty(seed: int) -> dict[str, list[bytes]]:
    """Returns sounds without words, from the volume of a quiet room to that of a street."""
    rng = np.random.default_rng(seed)
    cases = [(seconds, level) for level in (-60, -40, -25, -15) for seconds in (1, 4, 10)]  # level: dB of full scale
    out = {"silence": [pcm(np.zeros(int(seconds * RATE)), 0) for seconds in (0.5, 1, 2, 5, 10, 20)]}
    out["white noise"] = [pcm(rng.standard_normal(seconds * RATE), level) for seconds, level in cases]
    out["pink noise"] = [pcm(pink(rng, seconds * RATE), level) for seconds, level in cases]
    out["mains hum"] = [pcm(hum(rng.choice((50, 60)), seconds * RATE), level) for seconds, level in cases]
    return out


def pcm(wave: np.ndarray, level: float) -> bytes:
    """Scales a wave to an RMS level in dB of full scale."""
    effective = np.sqrt(np.mean(wave**2))
    scaled = wave / effective * 32768 * 10 ** (level / 20) if effective else wave
    return np.clip(scaled, -32768, 32767).astype("<i2").tobytes()


def pink(rng: np.random.Generator, length: int) -> np.ndarray:
    """Returns noise with equal power in every octave from 20 Hz on."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 20)
    return np.fft.irfft(spectrum / np.sqrt(hertz), length)


def hum(hertz: int, length: int) -> np.ndarray:
    """Returns mains hum with overtones, each half as strong as the one below."""
    times = np.arange(length) / RATE
    return sum(0.5**n * np.sin(2 * np.pi * hertz * (n + 1) * times) for n in range(6))
