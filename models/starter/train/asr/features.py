"""Whisper's log-mel spectra as computed by whisper.cpp, and a store for those of all clips."""

import pathlib

import numpy as np
from scipy.fft import rfft

RATE, WINDOW, HOP = 16000, 400, 160
FLOOR, RANGE = -10.0, 8.0  # decades of power: the least value; what is kept below the loudest


def raw_log_mel(samples: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Returns decades of power [len(samples) // 160, mels]; filters are make_whisper.mel_filters'. Samples are within ±1."""
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    padded = np.pad(samples.astype(np.float32), WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:len(samples) // HOP]
    spectrum = rfft(frames * taper, axis=1)
    return np.log10(np.maximum((spectrum.real**2 + spectrum.imag**2) @ filters.T, 10**FLOOR))


def scaled(raw: np.ndarray) -> np.ndarray:
    """What the network sees of a whole row."""
    return ((np.maximum(raw, raw.max() - RANGE) + 4) / 4).astype(np.float32)


class Store:
    """The raw spectra of a set of clips in a file."""

    def __init__(self, path: pathlib.Path, clips, filters: np.ndarray):
        """Makes the file where it is not there or is not about these clips."""
        lengths = np.array([len(clip.samples) // HOP for clip in clips])
        self.ends = np.cumsum(lengths)
        size = (int(self.ends[-1]), len(filters))
        if not path.exists() or path.stat().st_size != 2 * size[0] * size[1]:
            partial = path.with_suffix(".partial")
            with partial.open("wb") as file:
                for clip in clips:
                    file.write(raw_log_mel(clip.samples / np.float32(32768), filters).astype(np.float16).tobytes())
            partial.rename(path)
        self.data = np.memmap(path, np.float16, "r", shape=size)

    def __getitem__(self, number: int) -> np.ndarray:
        begin = self.ends[number - 1] if number else 0
        return self.data[begin:self.ends[number]].astype(np.float32)
