"""Audio sources, formats, and WAV files."""

from __future__ import annotations

import dataclasses
import io
import os
import wave
from collections.abc import Iterable, Iterator
from typing import IO, Any, Union

from modelgateway.v1 import transcription_pb2

#: Maximum size in bytes of a piece of streamed audio.
MAX_PIECE_BYTES = 1 << 20
_FILE_PIECE_BYTES = 64 << 10

#: Bytes, the path of a file, an open binary file, or an iterator of bytes, e.g. a
#: generator that reads a microphone.
AudioSource = Union[bytes, bytearray, memoryview, str, "os.PathLike[str]", IO[bytes], Iterable[bytes]]


def is_path(source: object) -> bool:
    """Reports whether a source is the path of a file."""
    return isinstance(source, (str, os.PathLike))


def replayable(source: object) -> bool:
    """Reports whether a source can be read again from its beginning."""
    return is_path(source) or isinstance(source, (bytes, bytearray, memoryview))


def pieces(source: AudioSource) -> Iterator[bytes]:
    """Yields the bytes of a source in pieces that the server accepts: not empty, at most 1 MiB."""
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
    """Returns all bytes of a source."""
    if isinstance(source, bytes):
        return source
    return b"".join(pieces(source))


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_FILE_PIECE_BYTES):
        yield piece


def _split(data: bytes | bytearray | memoryview[Any]) -> Iterator[bytes]:
    view = memoryview(data).cast("B")
    for start in range(0, len(view), MAX_PIECE_BYTES):
        yield bytes(view[start : start + MAX_PIECE_BYTES])


def pcm_s16le(sample_rate: int = 16_000, channels: int = 1) -> transcription_pb2.AudioFormat:
    """Returns the format of raw signed 16-bit little-endian samples."""
    return transcription_pb2.AudioFormat(
        encoding=transcription_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=sample_rate, channel_count=channels
    )


def pcm_f32le(sample_rate: int = 16_000, channels: int = 1) -> transcription_pb2.AudioFormat:
    """Returns the format of raw 32-bit little-endian floats."""
    return transcription_pb2.AudioFormat(
        encoding=transcription_pb2.AUDIO_ENCODING_PCM_F32LE, sample_rate_hertz=sample_rate, channel_count=channels
    )


@dataclasses.dataclass(frozen=True)
class Wav:
    """The samples of a WAV file."""

    #: Samples in the format of the file, channels interleaved.
    pcm: bytes
    #: Sample rate in hertz.
    sample_rate: int
    channels: int = 1
    #: Bytes per sample.
    sample_width: int = 2

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return len(self.pcm) / (self.sample_rate * self.channels * self.sample_width)

    def to_bytes(self) -> bytes:
        """Returns the WAV file as bytes."""
        out = io.BytesIO()
        self.save(out)
        return out.getvalue()

    def save(self, target: str | os.PathLike[str] | IO[bytes]) -> None:
        """Writes the WAV file."""
        with wave.open(os.fspath(target) if isinstance(target, os.PathLike) else target, "wb") as file:
            file.setnchannels(self.channels)
            file.setsampwidth(self.sample_width)
            file.setframerate(self.sample_rate)
            file.writeframes(self.pcm)


def read_wav(source: bytes | str | os.PathLike[str] | IO[bytes]) -> Wav:
    """Reads a WAV file with integer samples. Raises wave.Error for other files."""
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    with wave.open(os.fspath(source) if isinstance(source, os.PathLike) else source, "rb") as file:
        return Wav(file.readframes(file.getnframes()), file.getframerate(), file.getnchannels(), file.getsampwidth())
