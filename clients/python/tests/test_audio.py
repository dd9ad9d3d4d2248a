"""Tests audio sources and WAV files, without a server."""

from __future__ import annotations

import io
import pathlib
import wave

import pytest

from modelgateway import audio


@pytest.mark.parametrize("size", [0, 1, audio.MAX_PIECE_BYTES, audio.MAX_PIECE_BYTES + 1, 3 * audio.MAX_PIECE_BYTES])
def test_pieces_are_accepted_by_the_server(size: int, tmp_path: pathlib.Path) -> None:
    clip = bytes(range(256)) * (size // 256) + bytes(size % 256)
    file = tmp_path / "clip"
    file.write_bytes(clip)
    for source in (clip, bytearray(clip), memoryview(clip), file, str(file), io.BytesIO(clip), [clip, b""]):
        pieces = list(audio.pieces(source))
        assert b"".join(pieces) == clip
        assert all(0 < len(piece) <= audio.MAX_PIECE_BYTES for piece in pieces)
        if not isinstance(source, io.BytesIO):
            assert audio.whole(source) == clip


def test_replayable_sources(tmp_path: pathlib.Path) -> None:
    assert audio.replayable(b"") and audio.replayable(tmp_path) and audio.replayable("clip.wav")
    assert not audio.replayable(io.BytesIO()) and not audio.replayable(iter([b""]))


@pytest.mark.parametrize(("channels", "width"), [(1, 2), (2, 2), (1, 1), (2, 3)])
def test_wav_round_trip(tmp_path: pathlib.Path, channels: int, width: int) -> None:
    sound = audio.Wav(bytes(range(120)) * channels * width, 22_050, channels, width)
    sound.save(tmp_path / "a.wav")
    assert audio.read_wav(tmp_path / "a.wav") == audio.read_wav(sound.to_bytes()) == sound
    assert sound.seconds == pytest.approx(120 / 22_050)


def test_other_files_are_refused() -> None:
    with pytest.raises(wave.Error):
        audio.read_wav(b"RIFFxxxxWAVX" + bytes(40))
