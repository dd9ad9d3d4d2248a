"""Augments spectra like other speakers, rooms and microphones. This is much cheaper than augmenting audio.

All functions work on decades of power [frames, mels], as returned by features.raw_log_mel.
"""

import numpy as np

from asr import features

NOISE_SECONDS = 60


def mel_centres(mels: int) -> np.ndarray:
    """Hertz of the middle of each band, on Slaney's scale."""
    top = 15 + 27 * np.log(8.0) / np.log(6.4)  # of 8 kHz
    mel = np.linspace(0, top, mels + 2)[1:-1]
    return np.where(mel >= 15, 1000 * np.exp((mel - 15) * np.log(6.4) / 27), mel * 200 / 3)


def _between(values: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    """Values at broken positions of an axis."""
    low = np.clip(at.astype(int), 0, values.shape[axis] - 2)
    share = np.clip(at - low, 0, 1).astype(np.float32)
    share = share[:, None] if axis == 0 else share[None, :]
    return np.take(values, low, axis) * (1 - share) + np.take(values, low + 1, axis) * share


class Changer:
    """Draws changes of clips."""

    def __init__(self, mels: int, plain: float = 0.35):
        """plain is the share of clips of which only the loudness changes."""
        self.plain = plain
        self.centres = mel_centres(mels)
        self.bands = np.arange(mels)

    def clip(self, rng: np.random.Generator, raw: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns a clip of another loudness, and mostly of another speed, vocal tract and tone; and how much longer it is."""
        if rng.random() < self.plain:
            return np.maximum(raw + np.float32(rng.uniform(-1.5, 0.5)), features.FLOOR), 1.0
        longer = rng.uniform(0.85, 1.18) if rng.random() < 0.7 else 1.0
        count = max(2, round(len(raw) * longer))
        if count != len(raw):
            raw = _between(raw, np.linspace(0, len(raw) - 1, count), 0)
        if rng.random() < 0.6:
            tract = np.exp(rng.uniform(-0.2, 0.2))
            raw = _between(raw, np.interp(self.centres * tract, self.centres, self.bands), 1)
        if rng.random() < 0.15:
            raw = echo(rng, raw)
        if rng.random() < 0.25:
            raw = blurred(raw, rng.uniform(0.2, 1))
        tone = np.zeros(len(self.bands), np.float32)
        if rng.random() < 0.7:
            phase = self.bands / len(self.bands)
            tone += sum(rng.normal(0, 0.3) * np.cos(np.pi * k * (phase + rng.random())) for k in (1, 2, 3))
            tone += rng.normal(0, 0.5) * (phase - 0.5)
        return np.maximum(raw + tone + rng.uniform(-2.0, 0.6), features.FLOOR).astype(np.float32), longer


def blurred(raw: np.ndarray, share: float) -> np.ndarray:
    """Mixes each band with its neighbours, as breathy voices and poor synthesis hide the overtones."""
    padded = np.pad(raw, ((0, 0), (1, 1)), mode="edge")
    return (raw + share * (padded[:, :-2] + padded[:, 2:])) / np.float32(1 + 2 * share)


def echo(rng: np.random.Generator, raw: np.ndarray) -> np.ndarray:
    """Adds a room's decay of power."""
    power, tail = 10.0**raw, np.zeros(raw.shape[1], np.float32)
    keep = 10 ** (-6 * 0.01 / rng.uniform(0.1, 0.4))  # a frame; the time is to -60 dB
    level = rng.uniform(0.02, 0.25)
    for i in range(len(power)):
        tail, power[i] = keep * (tail + level * power[i]), power[i] + tail
    return np.log10(power)


def noises(filters: np.ndarray, seed: int) -> list[np.ndarray]:
    """Spectra of sounds without words, about as loud as speech: noise from white to brown, some that swells, hum and tones."""
    rng, made = np.random.default_rng(seed), []
    count = NOISE_SECONDS * features.RATE
    seconds = np.arange(count) / features.RATE
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.maximum(np.arange(len(spectrum)) / NOISE_SECONDS, 20.0)
    for power in (0.0, 0.5, 1.0):
        sound = np.fft.irfft(spectrum * hertz**-power)
        sound /= sound.std()
        swell = 1 + 0.9 * np.interp(seconds, 0.25 * np.arange(4 * NOISE_SECONDS), rng.uniform(-1, 1, 4 * NOISE_SECONDS))
        made += [sound, sound + overtones(rng, seconds), sound * swell]
    made += [overtones(rng, seconds) + 10 ** -rng.uniform(1, 5) * rng.standard_normal(count) for _ in range(6)]
    return [features.raw_log_mel(0.1 * one, filters).astype(np.float32) for one in made]


def overtones(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """The mains' hum, or a tone, with overtones that get weaker."""
    hertz = rng.choice([50.0, 60.0]) if rng.random() < 0.6 else rng.uniform(80, 1500)
    keep = rng.uniform(0, 0.8)
    return sum(keep**n * np.sin(2 * np.pi * hertz * (n + 1) * seconds) for n in range(6))


def clip_without_words(rng: np.random.Generator, filters: np.ndarray, frames: int) -> np.ndarray:
    """Returns the spectrum [frames, mels] of noise, hum or a tone that mostly breaks off, as a clip does in a window."""
    count = frames * features.HOP
    length = count if rng.random() < 0.3 else int(rng.uniform(0.3, 1) * min(count, 12 * features.RATE))
    sound, kind = np.zeros(count, np.float32), rng.integers(3)
    part = np.zeros(length)
    if kind != 1:
        spectrum = np.fft.rfft(rng.standard_normal(length))
        hertz = np.maximum(np.fft.rfftfreq(length, 1 / features.RATE), 20)
        part = np.fft.irfft(spectrum * hertz ** -rng.choice([0, 0.5, 1.0]), length)
        part /= part.std()
    if kind != 0:
        part = part * 10 ** -rng.uniform(0, 2) + overtones(rng, np.arange(length) / features.RATE + rng.random())
    sound[:length] = part * (10 ** rng.uniform(-3.2, -0.3) / part.std())
    steps = 1 / 32768
    return features.raw_log_mel(np.clip(np.round(sound / steps) * steps, -1, 1), filters)


def noise(rng: np.random.Generator, bank: list[np.ndarray], frames: int) -> np.ndarray:
    one = bank[rng.integers(len(bank))]
    at = rng.integers(len(one) - frames)
    return one[at:at + frames]


def masked(rng: np.random.Generator, mel: np.ndarray) -> np.ndarray:
    """Takes a band and moments out of a row (SpecAugment; Park et al., 2019), in place."""
    middle = mel.mean()
    if rng.random() < 0.4:
        width = rng.integers(1, 10)
        at = rng.integers(0, mel.shape[1] - width)
        mel[:, at:at + width] = middle
    for _ in range(rng.binomial(3, min(1.0, len(mel) / 900))):
        width = rng.integers(1, 8)
        at = rng.integers(0, len(mel) - width)
        mel[at:at + width] = middle
    return mel
