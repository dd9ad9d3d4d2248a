"""The vocoder: its parameters, how they are computed from the teacher's, and a NumPy reference for the graph.

A frame each 128 samples has ORDER mel-cepstra (all-pass constant WARP), log F0, the share of voice, and the frequency
above which even voiced sound is noise. The sound is a band-limited pulse train and noise, each of power 1, cut into
windows, mixed per frequency, and given the spectrum exp(sum c_m exp(-i m w~)) of its frame: the minimum phase one.
"""

import numpy as np

from voice import teacher

RATE, HOP = 22050, 128  # samples
FRAME = 256  # samples in a frame of Piper's durations
ORDER, WARP = 40, 0.455
SIZE, WINDOW = 1024, 256  # of the Fourier transform; Hann windows that overlap by half
NOISE = 1 << 15  # samples of noise, then they come again
PITCH, VOICED, CUT = ORDER, ORDER + 1, ORDER + 2  # columns behind the mel-cepstra
COLUMNS = ORDER + 3
BAND = 0.8  # kHz, the width of the border between voice and noise

# Above how many kHz a voiced sound is noise; the teacher's vocoder knows no mixed sound, and so it buzzes.
CUTS = {"z": 1.5, "ʒ": 1.2, "v": 2.5, "ð": 2.5, "h": 1.0, "b": 3.0, "d": 3.0, "ɡ": 3.0}
VOWEL_CUT = 5.0


def warped(hertz: np.ndarray, rate: float, warp: float) -> np.ndarray:
    """Angles behind an all-pass filter."""
    angle = 2 * np.pi * hertz / rate
    return angle + 2 * np.arctan2(warp * np.sin(angle), 1 - warp * np.cos(angle))


def conversion() -> np.ndarray:
    """The matrix that brings the teacher's mel-cepstra to this rate and order, [teacher.ORDER, ORDER]."""
    even = np.linspace(0, np.pi, 513)  # evenly spaced as the ear hears
    hertz = np.interp(even, warped(np.linspace(0, RATE / 2, 8193), RATE, WARP), np.linspace(0, RATE / 2, 8193))
    theirs = np.cos(np.outer(warped(hertz, teacher.RATE, teacher.WARP), np.arange(teacher.ORDER)))
    ours = np.cos(np.outer(even, np.arange(ORDER)))
    return (np.linalg.pinv(ours) @ theirs).T.astype(np.float32)


def waves() -> tuple[np.ndarray, np.ndarray]:
    """What mel-cepstra are multiplied with for the logarithm and the phase of spectra, [ORDER, SIZE / 2 + 1] each."""
    angles = np.outer(np.arange(ORDER), warped(np.arange(SIZE // 2 + 1) * RATE / SIZE, RATE, WARP))
    return np.cos(angles).astype(np.float32), -np.sin(angles).astype(np.float32)


def window() -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)).astype(np.float32)


def noise() -> np.ndarray:
    return np.random.default_rng(3).standard_normal(NOISE).astype(np.float16)


def pulses(hertz: np.ndarray) -> np.ndarray:
    """A pulse train of power 1 whose harmonics end below half the rate; hertz for each sample."""
    cycles = np.cumsum(hertz.astype(np.float64) / RATE)
    half = np.pi * (cycles - np.floor(cycles))
    count = np.floor(RATE / 2 / hertz)
    bottom = np.sin(half)
    comb = np.where(np.abs(bottom) < 1e-4, 2 * count + 1, np.sin((2 * count + 1) * half) / np.where(np.abs(bottom) < 1e-4, 1, bottom))
    return ((comb - 1) / np.sqrt(2 * count)).astype(np.float32)


def synthesise(frames: np.ndarray) -> np.ndarray:
    """[frames, COLUMNS] to samples: the reference."""
    count = len(frames)
    at = (np.arange(count * HOP) + 0.5) / HOP - 0.5
    hertz = np.exp(np.interp(at, np.arange(count), frames[:, PITCH]))
    voice, hiss = pulses(hertz), np.resize(noise(), count * HOP).astype(np.float32)

    def spectra(x):
        cut = np.lib.stride_tricks.sliding_window_view(np.pad(x, (WINDOW - HOP) // 2), WINDOW)[::HOP]
        return np.fft.rfft(cut * window(), SIZE)

    bins = np.arange(SIZE // 2 + 1) * RATE / SIZE / 1000
    share = frames[:, VOICED:VOICED + 1] / (1 + np.exp((bins - frames[:, CUT:CUT + 1]) / BAND))
    log, phase = (frames[:, :ORDER] @ w for w in waves())
    mixed = (spectra(voice) * np.sqrt(share) + spectra(hiss) * np.sqrt(1 - share)) * np.exp(log + 1j * phase)
    pieces = np.fft.irfft(mixed, SIZE)
    out = np.zeros((count + SIZE // HOP - 1) * HOP)
    for i, piece in enumerate(pieces):
        out[i * HOP:i * HOP + SIZE] += piece
    edge = (WINDOW - HOP) // 2
    return out[edge:edge + count * HOP].astype(np.float32)
