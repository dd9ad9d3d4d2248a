"""The vocoder of vocoder.py as nodes of a graph."""

import numpy as np

from voice import vocoder
from voice.graph import Graph

LOWEST, HIGHEST = 60.0, 600.0  # Hz


def to_samples(g: Graph, column: str) -> str:
    """[frames] → [frames · HOP], in straight lines."""
    line = g("Unsqueeze", column, g.ints(0, 1))
    line = g("Resize", line, "", [1.0, 1.0, float(vocoder.HOP)], mode="linear", coordinate_transformation_mode="half_pixel")
    return g("Squeeze", line, g.ints(0, 1))


def tone(g: Graph, pitch: str, mean: float, deviation: float) -> str:
    """Normalised log F0 of frames to Hz of samples, in double precision: phases add up what single precision loses."""
    lowest, highest = ((np.log(hertz) - mean) / deviation for hertz in (LOWEST, HIGHEST))
    line = g.cast(to_samples(g, g("Clip", pitch, np.float32(lowest), np.float32(highest))), np.float64)
    return g("Exp", g("Add", g("Mul", line, g.exact(deviation)), g.exact(mean)))


def pulses(g: Graph, hertz: str) -> str:
    """A band-limited pulse train."""
    cycles = g("CumSum", g("Div", hertz, g.exact(vocoder.RATE)), g.number(0))
    half = g("Mul", g("Sub", cycles, g("Floor", cycles)), g.exact(np.pi))
    count = g("Floor", g("Div", g.exact(vocoder.RATE / 2), hertz))
    odd = g("Add", g("Mul", count, g.exact(2)), g.exact(1))
    top, bottom, odd = (g.cast(x, np.float32) for x in (g("Sin", g("Mul", odd, half)), g("Sin", half), odd))
    small = g("Less", g("Abs", bottom), 1e-4)
    comb = g("Where", small, odd, g("Div", top, g("Where", small, 1.0, bottom)))
    return g("Div", g("Sub", comb, 1.0), g("Sqrt", g("Sub", odd, 1.0)))


def hiss(g: Graph, like: str, noise_scale: str) -> str:
    """Noise of variance 1: stored noise, the same each time, and some that is not."""
    stored = g.constant(vocoder.noise())
    at = g("Mod", g.counted(g("Squeeze", g("Shape", like), g.ints(0))), g.number(vocoder.NOISE))
    fixed = g.cast(g("Gather", stored, at), np.float32)
    fresh = g("Mul", g("RandomNormalLike", like), noise_scale)
    return g("Div", g("Add", fixed, fresh), g("Sqrt", g("Add", g("Mul", noise_scale, noise_scale), 1.0)))


def circle(g: Graph, rows: int, columns: int) -> tuple[str, str]:
    """Matrices of the Fourier transform: cosines and sines of 2π·row·column / SIZE. Made of a table, to be small in the file."""
    turn = 2 * np.pi * np.arange(vocoder.SIZE) / vocoder.SIZE
    down = g("Unsqueeze", g.counted(g.number(rows)), g.ints(1))
    at = g("Mod", g("Mul", down, g.counted(g.number(columns))), g.number(vocoder.SIZE))
    return g("Gather", np.cos(turn), at), g("Gather", np.sin(turn), at)


def spectra(g: Graph, samples: str, matrices) -> tuple[str, str]:
    """Windows of samples as spectra: real and imaginary parts, [frames, bins]."""
    edge = (vocoder.WINDOW - vocoder.HOP) // 2
    blocks = g("Reshape", g("Pad", samples, g.ints(edge, edge)), g.ints(-1, vocoder.HOP))
    cut = g("Concat", g.slice(blocks, 0, -1), g.slice(blocks, 1, np.iinfo(np.int64).max), axis=1)
    cut = g("Mul", cut, vocoder.window())
    return g("MatMul", cut, matrices[0]), g("Neg", g("MatMul", cut, matrices[1]))


def joined(g: Graph, pieces: str) -> str:
    """[frames, SIZE] to samples: the pieces overlap, each HOP behind the one before."""
    steps = vocoder.SIZE // vocoder.HOP
    cut = [g.slice(pieces, i * vocoder.HOP, (i + 1) * vocoder.HOP, axis=1) for i in range(steps)]
    parts = [g("Pad", part, g.ints(i, 0, steps - 1 - i, 0)) for i, part in enumerate(cut)]
    line = g("Reshape", g("Sum", *parts), g.ints(-1))
    edge = (vocoder.WINDOW - vocoder.HOP) // 2
    return g.slice(line, edge, edge - vocoder.SIZE + vocoder.HOP)


def synthesise(g: Graph, frames: str, hertz: str, noise_scale: str) -> str:
    """[frames, COLUMNS], the share of voice from 0 to 1, and the pitch of each sample, to samples."""
    bins = vocoder.SIZE // 2 + 1
    column = lambda i: g.slice(frames, i, i + 1, axis=1)
    voice = pulses(g, hertz)
    into = circle(g, vocoder.WINDOW, bins)
    pulse, noise = spectra(g, voice, into), spectra(g, hiss(g, voice, noise_scale), into)
    kilohertz = (np.arange(bins) * vocoder.RATE / vocoder.SIZE / 1000).astype(np.float32)
    border = g("Sigmoid", g("Div", g("Sub", column(vocoder.CUT), kilohertz), vocoder.BAND))
    share = g("Mul", column(vocoder.VOICED), border)
    voiced, rest = g("Sqrt", share), g("Sqrt", g("Sub", 1.0, share))
    real, imaginary = (g("Add", g("Mul", p, voiced), g("Mul", n, rest)) for p, n in zip(pulse, noise))
    cepstra = g.slice(frames, 0, vocoder.ORDER, axis=1)
    log, phase = (g("MatMul", cepstra, w) for w in vocoder.waves())
    size = g("Exp", log)
    across, up = g("Mul", size, g("Cos", phase)), g("Mul", size, g("Sin", phase))
    weights = np.full(bins, 2 / vocoder.SIZE, np.float32)
    weights[[0, -1]] /= 2
    out = circle(g, bins, vocoder.SIZE)
    real, imaginary = (g("Sub", g("Mul", real, across), g("Mul", imaginary, up)), g("Add", g("Mul", real, up), g("Mul", imaginary, across)))
    even = g("MatMul", g("Mul", real, weights), out[0])
    return joined(g, g("Sub", even, g("MatMul", g("Mul", imaginary, weights), out[1])))
