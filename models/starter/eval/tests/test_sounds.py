"""Tests sounds without words, cached speech, progress and options."""

import dataclasses
import io
import pathlib
import threading

import numpy as np
import pytest
from eval import __main__ as program
from eval import server, sounds
from eval.clips import Clips
from eval.progress import Progress
from eval.run import Unmeasured


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(float)


def loudness(pcm: bytes) -> float:
    """Returns the RMS level in dB of full scale."""
    return 20 * np.log10(np.sqrt(np.mean(samples(pcm) ** 2)) / 32768)


def test_sounds_without_words() -> None:
    made = sounds.empty(seed=1)
    assert not any(samples(pcm).any() for pcm in made["silence"])
    for kind in ("white noise", "pink noise", "mains hum"):
        levels = [loudness(pcm) for pcm in made[kind]]
        assert levels == pytest.approx([-60] * 3 + [-40] * 3 + [-25] * 3 + [-15] * 3, abs=0.2)
        assert [len(pcm) for pcm in made[kind]] == [2 * seconds * sounds.RATE for seconds in (1, 4, 10)] * 4

    def band(pcm: bytes, low: float, high: float) -> float:
        power = np.abs(np.fft.rfft(samples(pcm))) ** 2
        hertz = np.fft.rfftfreq(len(pcm) // 2, 1 / sounds.RATE)
        return power[(hertz >= low) & (hertz < high)].sum()

    white, pink, hum = (made[kind][-1] for kind in ("white noise", "pink noise", "mains hum"))
    assert band(white, 2000, 4000) == pytest.approx(2 * band(white, 1000, 2000), rel=0.1)
    assert band(pink, 2000, 4000) == pytest.approx(band(pink, 1000, 2000), rel=0.1)
    assert band(hum, 40, 400) > 0.999 * band(hum, 0, 8000)


def test_microphone_adds_quiet_and_noise() -> None:
    rng = np.random.default_rng(1)
    speech = (8000 * rng.standard_normal(sounds.RATE)).astype(np.int16)
    heard = samples(sounds.microphone(speech, rng))
    edge = int(sounds.AROUND * sounds.RATE)
    assert len(heard) == len(speech) + 2 * edge
    assert heard[:edge].std() / speech.std() == pytest.approx(10 ** (-30 / 20), rel=0.1)
    assert np.corrcoef(heard[edge:-edge], speech)[0, 1] > 0.99


@dataclasses.dataclass(frozen=True)
class Voice:
    """A voice of a program that exists on every system."""

    name: str
    program: str = "sh"

    def label(self) -> str:
        return self.name


def test_clips_are_synthesized_once(tmp_path: pathlib.Path) -> None:
    said: list[str] = []

    def speak(voice: Voice, texts: list[str]) -> list[np.ndarray]:
        said.extend(f"{voice.name}: {text}" for text in texts)
        return [np.arange(len(text), dtype=np.int16) for text in texts]

    def clips(code: bytes) -> Clips:
        return Clips(tmp_path / "clips", speak, code, Progress(io.StringIO()), 2)

    wanted = [(Voice("ann"), "hello"), (Voice("bob"), "hello"), (Voice("ann"), "hello"), (Voice("ann"), "hi")]
    for _ in range(2):
        assert [len(clip) for clip in clips(b"1").say("x", wanted)] == [5, 5, 5, 2]
        assert sorted(said) == ["ann: hello", "ann: hi", "bob: hello"]
    clips(b"2").say("x", wanted[:1])  # the source of the voices has changed
    assert len(said) == 4
    assert not list(tmp_path.glob("clips/*.tmp"))


def test_a_voice_without_audio_is_named(tmp_path: pathlib.Path) -> None:
    clips = Clips(tmp_path, lambda voice, texts: [np.zeros(0, np.int16)], b"", Progress(io.StringIO()), 1)
    with pytest.raises(Unmeasured, match="mute gave no audio for 'hello'"):
        clips.say("x", [(Voice("mute"), "hello")])
    with pytest.raises(Unmeasured, match="cannot run no-such-program"):
        clips.say("x", [(Voice("x", "no-such-program"), "hello")])


def test_each_keeps_the_order_and_works_concurrently() -> None:
    told, both = io.StringIO(), threading.Barrier(2, timeout=60)

    def work(item: int) -> int:
        both.wait()  # returns when two threads are in it
        return item * item

    assert Progress(told).each("squares", range(6), work, workers=2) == [0, 1, 4, 9, 16, 25]
    assert told.getvalue().startswith("models-eval: squares: 6 in ")


def test_each_ends_with_the_first_failure() -> None:
    begun: list[int] = []
    told = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise ValueError("the first")
        told.wait(60)

    with pytest.raises(ValueError, match="the first"):
        Progress(io.StringIO()).each("x", range(1000), work)
    told.set()
    # One more may have started before the failure was noticed.
    assert begun[0] == 0 and len(begun) <= 2


def test_parts_keep_their_order(tmp_path: pathlib.Path) -> None:
    assert program.arguments(["--only", "chat, stt"]).only == ["stt", "chat"]
    assert program.arguments(["--speechocean", str(tmp_path)]).only == list(program.PARTS)
    assert program.arguments([]).only == [part for part in program.PARTS if part != "experts"]


@pytest.mark.parametrize(
    "argv", [["--only", "stt,foo"], ["--only", ","], ["--count", "0"], ["--count", "x"], ["--json", "/no/such/folder/x"], ["x"]]
)
def test_wrong_options_are_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.arguments(argv)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("argv", "needs"),
    [([], ["server", "speech", "people"]), (["--only", "chat"], ["server"]), (["--server", "x:1"], ["server", "speech", "people"]),
     (["--only", "live"], ["server", "people"]), (["--only", "stt", "--server", "x:1"], ["speech"]),
     (["--only", "chat,grammar", "--server", "x:1"], [])],
)
def test_needs(argv: list[str], needs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([*argv, "--needs"]) == 0
    assert capsys.readouterr().out.split() == needs


def test_the_server_ignores_settings_of_the_environment() -> None:
    kept = {"PATH": "/bin", "HOME": "/h", "MG_ONNXRUNTIME": "x", "LANG": "C"}
    dropped = ["QWEN_MODEL_PATH", "WHISPER_MODEL_SIZE", "PIPER_VOICE", "HUBERT_MODEL_ID", "GEMINI_API_KEY", "MAX_MEMORY_MB",
               "MODEL_DEVICE", "MODELGATEWAY_CONFIG", "OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert server.environment(kept | dict.fromkeys(dropped, "x")) == kept


def test_the_output_of_a_server_that_does_not_start_is_reported(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "modelgateway"
    broken.write_text("#!/bin/sh\necho 'no such flag' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(server.NoServer, match="no such flag"), server.running(broken):
        pass
