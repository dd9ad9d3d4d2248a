"""Log-mel spectra as computed by the first layers of pronunciation.onnx: 80 bands per 10 ms, from windows of 25 ms."""

import numpy as np
from scipy.fft import rfft

RATE = 16000
WINDOW, HOP, EDGE = 400, 160, 80  # samples; EDGE zeros at each end
BANDS = 80
FLOOR = 1e-2  # added to the power of a band; white noise of variance 1 has 150
MEAN, SCALE = 1.0, 0.3  # what brings the logarithms to about the size of 1


def mel_filters(bands: int = BANDS, highest: float = 7600.0) -> np.ndarray:
    """Triangular filters, evenly spaced in mel, each of sum 1: [bins, bands]."""
    to_mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)
    edges = 700 * (10 ** (np.linspace(to_mel(60.0), to_mel(highest), bands + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    width = np.maximum(np.diff(edges), RATE / WINDOW)  # no narrower than the bins: none may be empty
    middle = edges[1:-1]
    rising = 1 - (middle - bins[:, None]) / width[:-1]
    falling = 1 - (bins[:, None] - middle) / width[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    return (filters / filters.sum(0)).astype(np.float32)


def window() -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def normalised(samples: np.ndarray) -> np.ndarray:
    """Brings a clip to mean 0 and variance 1, as the engine does."""
    samples = samples.astype(np.float32)
    samples = samples - samples.mean()
    return samples / np.sqrt(np.mean(samples * samples) + 1e-7)


def log_mel(samples: np.ndarray, filters=mel_filters(), taper=window()) -> np.ndarray:
    """Returns [frames, BANDS] of normalised samples; (len - 240) // HOP + 1 frames."""
    padded = np.pad(samples, EDGE)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = rfft(frames * taper, axis=1)  # in single precision
    power = spectrum.real**2 + spectrum.imag**2
    return (np.log(power @ filters + np.float32(FLOOR)) - np.float32(MEAN)) * np.float32(SCALE)
