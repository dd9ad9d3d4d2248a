"""Whisper's log-mel spectra, as whisper.cpp computes them."""

import numpy as np
from scipy.fft import rfft

RATE, WINDOW, HOP = 16000, 400, 160


def log_mel(samples: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Returns [len(samples) // 160, mels]; filters are [mels, bins], as make_whisper.mel_filters makes them."""
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    padded = np.pad(samples.astype(np.float32), WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:len(samples) // HOP]
    spectrum = rfft(frames * taper, axis=1)
    mel = np.log10(np.maximum((spectrum.real**2 + spectrum.imag**2) @ filters.T, 1e-10))
    return ((np.maximum(mel, mel.max() - 8) + 4) / 4).astype(np.float32)
