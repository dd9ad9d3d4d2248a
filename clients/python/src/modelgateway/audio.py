"""Audio in and out: sources of bytes, formats, and WAV files."""

from __future__ import annotations

import dataclasses
import io
import os
import wave
from collections.abc import Iterable, Iterator
from typing import IO, Union

from modelgateway.v1 import transcription_pb2

#: The most bytes of one piece of streamed audio.
MAX_PIECE_BYTES = 1 << 20
_FILE_PIECE_BYTES = 64 << 10

#: Bytes, the path of a file, an open binary file, or pieces as they come, e.g. a
#: generator that reads a microphone.
AudioSource = Union[bytes, bytearray, memoryview, str, "os.PathLike[str]", IO[bytes], Iterable[bytes]]


def is_path(source: object) -> bool:
    """Tells whether a source is the path of a file."""
    return isinstance(source, (str, os.PathLike))


def replayable(source: object) -> bool:
    """Tells whether a source can be read again from its beginning."""
    return is_path(source) or isinstance(source, (bytes, bytearray, memoryview))


def pieces(source: AudioSource) -> Iterator[bytes]:
    """Yields a source's bytes in pieces that the server takes: none empty, none above 1 MiB."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield from _split(source)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield from _read(file)
    elif isinstance(source, io.IOBase) or hasattr(source, "read"):
        yield from _read(source)  # type: ignore[arg-type]
    else:
        for piece in source:
            yield from _split(piece)


def whole(source: AudioSource) -> bytes:
    """Returns all of a source's bytes."""
    if isinstance(source, bytes):
        return source
    return b"".join(pieces(source))


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_FILE_PIECE_BYTES):
        yield piece


def _split(data: bytes | bytearray | memoryview) -> Iterator[bytes]:
    view = memoryview(data).cast("B")
    for start in range(0, len(view), MAX_PIECE_BYTES):
        yield bytes(view[start : start + MAX_PIECE_BYTES])


def pcm_s16le(sample_rate: int = 16_000, channels: int = 1) -> transcription_pb2.AudioFormat:
    """The format of raw signed 16-bit little-endian samples."""
    return transcription_pb2.AudioFormat(
        encoding=transcription_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=sample_rate, channel_count=channels
    )


def pcm_f32le(sample_rate: int = 16_000, channels: int = 1) -> transcription_pb2.AudioFormat:
    """The format of raw 32-bit little-endian floats."""
    return transcription_pb2.AudioFormat(
        encoding=transcription_pb2.AUDIO_ENCODING_PCM_F32LE, sample_rate_hertz=sample_rate, channel_count=channels
    )


@dataclasses.dataclass(frozen=True)
class Wav:
    """A WAV file's samples."""

    #: Samples as they are in the file, channels interleaved.
    pcm: bytes
    #: Samples a second.
    sample_rate: int
    channels: int = 1
    #: Bytes of a sample.
    sample_width: int = 2

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.pcm) / (self.sample_rate * self.channels * self.sample_width)

    def to_bytes(self) -> bytes:
        """Returns the file."""
        out = io.BytesIO()
        self.save(out)
        return out.getvalue()

    def save(self, target: str | os.PathLike[str] | IO[bytes]) -> None:
        """Writes the file."""
        with wave.open(os.fspath(target) if isinstance(target, os.PathLike) else target, "wb") as file:
            file.setnchannels(self.channels)
            file.setsampwidth(self.sample_width)
            file.setframerate(self.sample_rate)
            file.writeframes(self.pcm)


def read_wav(source: bytes | str | os.PathLike[str] | IO[bytes]) -> Wav:
    """Reads a WAV file of integer samples. Raises wave.Error for anything else."""
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    with wave.open(os.fspath(source) if isinstance(source, os.PathLike) else source, "rb") as file:
        return Wav(file.readframes(file.getnframes()), file.getframerate(), file.getnchannels(), file.getsampwidth())
