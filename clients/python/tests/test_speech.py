"""Speech input and output with the starter models."""

from __future__ import annotations

import array
import asyncio
import pathlib
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT, Server

import modelgateway
from modelgateway import audio


@pytest.fixture
def client(speaking: Server) -> Iterator[modelgateway.Client]:
    with modelgateway.Client(speaking.grpc) as connected:
        yield connected


@pytest.fixture(scope="module")
def spoken(speaking: Server) -> audio.Wav:
    with modelgateway.Client(speaking.grpc) as connected:
        return connected.synthesize("The quick brown fox jumps over the lazy dog. How are you?").wav()


def test_every_way_to_transcribe_processes_all_audio(
    client: modelgateway.Client, spoken: audio.Wav, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "spoken.wav"
    spoken.save(file)
    whole = client.transcribe(file, language="en").transcript
    assert whole.audio_duration.ToTimedelta().total_seconds() == pytest.approx(spoken.seconds, abs=0.01)
    assert client.recognize(file, language="en").transcript.text == whole.text

    def microphone() -> Iterator[bytes]:
        piece = spoken.sample_rate // 10 * 2  # a tenth of a second
        for start in range(0, len(spoken.pcm), piece):
            yield spoken.pcm[start : start + piece]

    with client.stream_transcribe(microphone(), format=audio.pcm_s16le(spoken.sample_rate), language="en") as events:
        last = list(events)[-1]
    heard = last.final.audio_duration.ToTimedelta().total_seconds()
    assert heard == pytest.approx(spoken.seconds, abs=0.01)
    assert events.served_by is not None and events.served_by.engine == "whisper"


class Recorder:
    """Remembers the interim results of a stream."""

    def __init__(self, events: Any) -> None:
        self.events = events
        self.interims: list[tuple[str, str]] = []

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.events.close()

    def __iter__(self) -> Iterator[Any]:
        for event in self.events:
            if event.HasField("interim"):
                self.interims.append((event.interim.committed_text, event.interim.tentative_text))
            yield event

    @property
    def text(self) -> str:
        return str(self.events.text)


class Microphone:
    """A device of 16 kHz that waits after each second of speech until told is released."""

    def __init__(self, spoken: audio.Wav, told: threading.Semaphore) -> None:
        samples = array.array("h", spoken.pcm)
        length = len(samples) * 16_000 // spoken.sample_rate
        self.pcm = array.array("h", (samples[i * spoken.sample_rate // 16_000] for i in range(length))).tobytes()
        self.at, self.told = 0, told

    def recording(self) -> bool:
        return self.at < len(self.pcm)

    def read(self, size: int) -> bytes:
        if self.at and self.at % 32_000 == 0:
            assert self.told.acquire(timeout=600)
        piece = self.pcm[self.at : self.at + size]
        self.at += len(piece)
        return piece


def test_the_example_of_the_readme_shows_whole_words(client: modelgateway.Client, spoken: audio.Wav) -> None:
    shown: list[str] = []
    streams: list[Recorder] = []
    told = threading.Semaphore(0)
    device = Microphone(spoken, told)

    def stream_transcribe(*args: Any, **options: Any) -> Recorder:
        streams.append(Recorder(client.stream_transcribe(*args, **options)))
        return streams[-1]

    def show(text: str, end: str = "\n") -> None:
        if end == "\r":
            shown.append(text)
            told.release()

    readme = (ROOT / "clients" / "python" / "README.md").read_text()
    example = "def microphone():" + readme.split("def microphone():")[1].split("client.synthesize")[0]
    exec(
        example,
        {
            "client": types.SimpleNamespace(stream_transcribe=stream_transcribe),
            "audio": audio,
            "device": device,
            "recording": device.recording,
            "print": show,
        },
    )
    interims = streams[0].interims
    assert any(committed and tentative for committed, tentative in interims), interims
    for text, (committed, tentative) in zip(shown, interims, strict=True):
        assert text.split() == committed.split() + tentative.split()


def test_speech_is_streamed_sentence_by_sentence(client: modelgateway.Client) -> None:
    with client.synthesize("One sentence. And another one.", sentence_silence=0.5) as speech:
        next(speech)
        first = list(speech.sentences)
        rest = b"".join(speech)
    assert len(first) == 1 and len(speech.sentences) == 2 and rest
    assert speech.sample_rate == 22_050


def test_pronunciation_scores_each_word(client: modelgateway.Client, spoken: audio.Wav) -> None:
    answer = client.pronunciation(spoken.to_bytes(), "The quick brown fox")
    asked = [word.text for word in answer.words if word.error_type != 4]  # without insertions
    assert asked == ["The", "quick", "brown", "fox"]
    assert answer.served_by.engine == "hubert"


@pytest.mark.parametrize("clip", [b"this is not audio at all", b"RIFF\xff\xff\xff\xffWAVEfmt "])
def test_invalid_audio_is_refused(client: modelgateway.Client, clip: bytes) -> None:
    for call in (
        lambda: client.transcribe(clip),
        lambda: client.recognize(clip),
        lambda: client.pronunciation(clip, "Hello"),
        lambda: list(client.stream_transcribe([clip])),
    ):
        with pytest.raises(modelgateway.AudioUnreadable):
            call()


def test_asyncio_speech_input_and_output(speaking: Server, spoken: audio.Wav) -> None:
    async def main() -> None:
        async with modelgateway.AsyncClient(speaking.grpc) as client:
            said, heard = await asyncio.gather(
                client.synthesize("Hello there.").wav(), client.transcribe(spoken.to_bytes(), language="en")
            )
            assert said.seconds > 0.3
            assert heard.transcript.audio_duration.ToTimedelta().total_seconds() > 1

    asyncio.run(main())
