"""Tests the blocking client with a real server."""

from __future__ import annotations

import io
import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from conftest import Server

import modelgateway
from modelgateway import audio
from modelgateway.v1 import admin_pb2, common_pb2, model_pb2

GREEDY = {"temperature": 0, "presence_penalty": 0, "max_tokens": 16}
PCM = audio.pcm_s16le(16_000)


def test_chat_and_stream_give_the_same_answer(client: modelgateway.Client) -> None:
    whole = client.chat("Hello", sampling=GREEDY)
    with client.stream_chat([("user", "Hello")], sampling=GREEDY) as stream:
        pieces = list(stream)
    assert whole.message.content
    assert "".join(pieces) == stream.text == whole.message.content
    assert stream.served_by is not None and stream.served_by.model == "qwen"
    assert stream.usage is not None and stream.usage.completion_token_count > 0
    assert stream.finish_reason in (common_pb2.FINISH_REASON_STOP, common_pb2.FINISH_REASON_LENGTH)


LEVEL = {"type": "object", "properties": {"level": {"enum": ["A1", "B2"]}}, "required": ["level"]}


def test_a_schema_and_a_tool(client: modelgateway.Client) -> None:
    answer = client.chat("Rate: I goes.", response_schema=LEVEL, n=2, logprobs=1)
    for message in (answer.message, answer.alternatives[0].message):
        assert json.loads(message.content)["level"] in ("A1", "B2")
    assert len(answer.logprobs[0].top) == 1

    tool = {"name": "rate", "description": "Rates a text", "parameters": LEVEL}
    with client.stream_chat("Hello", tools=[tool], tool_choice="rate") as stream:
        assert "".join(stream) == ""
    assert stream.finish_reason == common_pb2.FINISH_REASON_TOOL_CALLS
    (call,) = stream.tool_calls[:1]
    assert call.name == "rate" and json.loads(call.arguments)["level"] in ("A1", "B2")
    turns = [
        ("user", "Hello"),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call.id, "content": "done"},
    ]
    assert client.chat(turns, tools=[tool], tool_choice="none", sampling=GREEDY).message.content


def test_pieces_arrive_while_they_are_generated(client: modelgateway.Client) -> None:
    began = time.monotonic()
    stream = client.stream_chat('fault: {"token_count": 4, "token_interval_us": 300000}', model="tutor")
    first = next(stream)
    at_first = time.monotonic() - began
    assert first and len(list(stream)) >= 1
    assert time.monotonic() - began > at_first + 0.3


def test_system_prompt_and_history_reach_the_model(client: modelgateway.Client) -> None:
    short = client.chat("Hello", sampling=GREEDY)
    long = client.chat(
        [{"role": "user", "content": "Hello"}, ("assistant", "Hi!"), ("user", "How are you?")],
        system_prompt="You are an English tutor",
        sampling=GREEDY,
    )
    assert long.usage.prompt_token_count > short.usage.prompt_token_count + 5


def test_an_unknown_role_is_refused_by_the_client(client: modelgateway.Client) -> None:
    with pytest.raises(ValueError, match="ROLE_PARROT"):
        client.chat([("parrot", "Hello")])


def test_grammar_offsets_are_those_of_python(client: modelgateway.Client) -> None:
    text = "I goes to school yesterday"
    answer = client.grammar(text, explanation_language="vi")
    assert answer.edits
    corrected, at = "", 0
    for edit in answer.edits:
        assert text[edit.start_offset : edit.end_offset] == edit.original
        corrected += text[at : edit.start_offset] + edit.replacement
        at = edit.end_offset
    assert corrected + text[at:] == answer.corrected_text != text


def test_tutor_answers_and_explains(client: modelgateway.Client) -> None:
    assert client.respond("I like tea.", history=[("assistant", "Hi")], level="A2").text
    assert "cat" in client.explain_vietnamese("cat", question="nghĩa?").explanation


def microphone(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(640)


@pytest.mark.parametrize("kind", ["bytes", "path", "file", "pieces"])
def test_transcribe_takes_every_source(client: modelgateway.Client, tmp_path: pathlib.Path, kind: str) -> None:
    clip = bytes(3_000_000)  # too large for one message
    file = tmp_path / "clip.pcm"
    file.write_bytes(clip)
    sources = {"bytes": clip, "path": file, "file": io.BytesIO(clip), "pieces": [clip[:7], b"", clip[7:]]}
    answer = client.transcribe(sources[kind], format=PCM, language="en")
    assert answer.transcript.text == "3000000 bytes"
    assert answer.served_by.model == "whisper"


def test_stream_transcribe_from_a_generator(client: modelgateway.Client) -> None:
    with client.stream_transcribe(microphone(5), format=PCM) as stream:
        kinds = [event.WhichOneof("event") for event in stream]
    assert kinds[-1] == "final" and "interim" in kinds
    assert stream.text == "3200 bytes"
    assert stream.served_by is not None and stream.served_by.model == "whisper"


def test_an_exception_of_the_audio_source_is_raised(client: modelgateway.Client) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(640)
        raise OSError("the microphone was unplugged")

    with pytest.raises(OSError, match="unplugged"):
        client.transcribe(broken(), format=PCM)
    with pytest.raises(OSError, match="unplugged"):
        list(client.stream_transcribe(broken(), format=PCM))


def test_open_transcription_receives_pushes(client: modelgateway.Client) -> None:
    with client.open_transcription(format=PCM) as session:
        session.push(bytes(2_500_000))
        session.push(bytes(500))
        session.finish()
        events = list(session)
    assert events[-1].final.text == session.text == "2500500 bytes"
    assert session.served_by is not None and session.served_by.model == "whisper"


def test_recognize_accepts_more_than_the_default_limit_of_grpc(client: modelgateway.Client) -> None:
    assert client.recognize(bytes(20 << 20), format=PCM).transcript.text == f"{20 << 20} bytes"


def test_synthesize_streams_and_saves(client: modelgateway.Client, tmp_path: pathlib.Path) -> None:
    with client.synthesize("Hello, how are you?", speed=1.5, sentence_silence=0.1) as speech:
        pieces = list(speech)
    assert pieces and speech.sample_rate > 0 and speech.sentences
    file = tmp_path / "hello.wav"
    client.synthesize("Hello, how are you?").save(file)
    wav = audio.read_wav(file)
    assert wav.pcm == b"".join(pieces)
    assert (wav.sample_rate, wav.channels, wav.sample_width) == (speech.sample_rate, 1, 2)
    assert client.synthesize("Hello, how are you?").wav() == wav


def test_synthesize_aligns_words(client: modelgateway.Client) -> None:
    with client.synthesize("Hello, how are you?", align_words=True) as speech:
        pieces = list(speech)
    assert all(pieces)  # messages that have only words are no pieces
    assert [(word.text, word.aligned) for word in speech.words] == [(word, True) for word in ("Hello", "how", "are", "you")]
    plain = client.synthesize("Hello, how are you?")
    assert plain.read() == b"".join(pieces) and not plain.words


def test_pronunciation(client: modelgateway.Client) -> None:
    answer = client.pronunciation(audio.Wav(bytes(32_000), 16_000).to_bytes(), "Hello world")
    assert [word.text for word in answer.words] == ["Hello", "world"]
    assert 0 <= answer.overall_score <= 100


def test_untyped_calls(client: modelgateway.Client) -> None:
    result = client.execute_task("grammar", {"text": "I goes to school yesterday"})
    assert result.data["corrected_text"] and result.served_by.model == "qwen"
    echo = client.invoke("tutor", "echo", {"count": 3, "share": 0.5, "list": [True, None, "x"], "bytes": b"\x00\xff"})
    assert echo.data == {"count": 3, "share": 0.5, "list": [True, None, "x"], "bytes": "AP8="}
    assert isinstance(echo.data["count"], int)


def test_status_lists_the_models(client: modelgateway.Client) -> None:
    status = client.status()
    assert status.memory_budget_bytes == 4000 << 20
    assert [model.name for model in status.models][:2] == ["qwen", "whisper"]


def test_models_are_loaded_planned_watched_and_unloaded(client: modelgateway.Client) -> None:
    client.unload_model("hubert")
    assert client.plan_load("hubert").outcome == admin_pb2.LOAD_OUTCOME_FITS
    watch = client.watch_models("hubert")
    assert next(watch).to_state == model_pb2.MODEL_STATE_UNLOADED
    progress: list[float] = []
    loaded = client.load_model("hubert", pin=True, priority="high", progress=lambda p: progress.append(p.progress))
    assert loaded.name == "hubert" and loaded.pinned and loaded.state == model_pb2.MODEL_STATE_READY
    assert progress == sorted(progress) and progress[-1] == 1
    states = [next(watch).to_state, next(watch).to_state]
    assert states == [model_pb2.MODEL_STATE_LOADING, model_pb2.MODEL_STATE_READY]
    watch.close()
    assert client.plan_load("hubert", priority="low").outcome == admin_pb2.LOAD_OUTCOME_ALREADY_LOADED
    assert client.unload_model("hubert").freed_bytes > 0
    assert client.get_model("hubert").state == model_pb2.MODEL_STATE_UNLOADED


def wait_idle(client: modelgateway.Client, name: str) -> None:
    deadline = time.monotonic() + 30
    while client.get_model(name).active_count:
        assert time.monotonic() < deadline, f"{name} is still busy"
        time.sleep(0.01)  # there is no event for this


def test_closing_a_stream_stops_the_work(client: modelgateway.Client) -> None:
    endless = 'fault: {"token_count": 1000000000, "token_interval_us": 1000}'
    with client.stream_chat(endless, model="tutor") as stream:
        next(stream)
        assert client.get_model("tutor").active_count == 1
    wait_idle(client, "tutor")


INTERRUPTED = """
import sys
import modelgateway
with modelgateway.Client(sys.argv[1]) as client:
    try:
        if sys.argv[2] == "chat":
            client.chat('fault: {"fault": "stall"}', model="tutor")
        else:
            for piece in client.stream_chat('fault: {"fault": "stall", "fault_after_tokens": 1}', model="tutor"):
                pass
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.parametrize("call", ["chat", "stream_chat"])
def test_interrupt_stops_the_work(server: Server, client: modelgateway.Client, call: str) -> None:
    source = pathlib.Path(modelgateway.__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, server.grpc, call],
        env={"PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while client.get_model("tutor").active_count == 0:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out == "interrupted\n"
    wait_idle(client, "tutor")


def test_address_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELGATEWAY_ADDR", server.grpc)
    with modelgateway.Client() as client:
        assert client.address == server.grpc
        assert client.status().version
        assert client.list_voices()[0].model
