"""Reads the encoder of a Whisper model in whisper.cpp's ggml format."""

import pathlib
import struct

import numpy as np

MAGIC = 0x67676D6C
PREFIX = "encoder."


class Encoder:
    """The sizes and weights of an encoder; the weights have OpenAI's names without their prefix."""

    def __init__(self, path: pathlib.Path):
        data = memoryview(path.read_bytes())
        numbers = struct.unpack_from("<12i", data)
        if numbers[0] != MAGIC:
            raise SystemExit(f"{path} is not a Whisper model in ggml format; fetch it with: modelgateway pull whisper-base")
        self.width, self.heads, self.layers = numbers[3], numbers[4], numbers[5]
        at = 48
        bands, bins = struct.unpack_from("<2i", data, at)
        at += 8
        self.filters = np.frombuffer(data, "<f4", bands * bins, at).reshape(bands, bins)
        at += 4 * bands * bins
        (tokens,) = struct.unpack_from("<i", data, at)
        at += 4
        for _ in range(tokens):
            at += 4 + struct.unpack_from("<i", data, at)[0]
        self.weights = {}
        while at < len(data):
            rank, length, kind = struct.unpack_from("<3i", data, at)
            shape = struct.unpack_from(f"<{rank}i", data, at + 12)[::-1]
            at += 12 + 4 * rank
            name = bytes(data[at:at + length]).decode()
            array = np.frombuffer(data, ("<f4", "<f2")[kind], int(np.prod(shape)), at + length).reshape(shape)
            at += length + array.nbytes
            if name.startswith(PREFIX):
                self.weights[name[len(PREFIX):]] = array.astype(np.float32)
