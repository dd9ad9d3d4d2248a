"""Tests that a transcription session survives the loss of its server, and what calls tell proxies."""

from __future__ import annotations

import array
import asyncio
import concurrent.futures
import hashlib
import signal
import threading
from collections.abc import Iterator

import grpc
import pytest
from conftest import Server, Start
from test_open import PCM, Proxy

import modelgateway
from modelgateway.v1 import chat_pb2, service_pb2_grpc, transcription_pb2

# A model that hears numbers: see engines/fault/numbers.go.
CONFIG = """
advertise: {name}
engines:
  fault: {{command: [engine-fault], max_concurrency: 4}}
models:
  numbers: {{engine: fault, path: {file}, memory_mb: 64, parameters: {{hear_numbers: true}}}}
tasks:
  transcribe: {{primary: numbers, fallbacks: []}}
"""
COUNT = 120
NUMBERS = " ".join(str(n + 1) for n in range(COUNT))


def spoken() -> Iterator[bytes]:
    """Yields the numbers as audio, in pieces whose lengths have nothing to do with those of the words."""
    pcm = b"".join(array.array("H", [n + 1]).tobytes() * 1600 for n in range(COUNT))
    size = 1001
    while pcm:
        yield pcm[:size]
        pcm, size = pcm[size:], size % 5000 + 1001


@pytest.fixture
def servers(start: Start, tmp_path_factory: pytest.TempPathFactory) -> list[Server]:
    """Two servers that know nothing of each other."""
    file = tmp_path_factory.mktemp("models") / "any.model"
    file.write_text("a model of the test engine")
    return [start(CONFIG.format(name=f"10.0.0.{n}:50051", file=file)) for n in (1, 2)]


@pytest.fixture
def between(servers: list[Server]) -> Iterator[Proxy]:
    proxy = Proxy(servers[0].grpc)
    yield proxy
    proxy.close()


def lose(servers: list[Server], between: Proxy) -> None:
    """Kills the first server; new connections go to the second."""
    between.target = servers[1].grpc
    servers[0].process.kill()
    servers[0].process.wait()


def test_a_session_continues_on_another_server(servers: list[Server], between: Proxy) -> None:
    with modelgateway.Client(between.address) as client, client.open_transcription(format=PCM) as session:
        lost = threading.Event()

        def push() -> None:
            for n, piece in enumerate(spoken()):
                if n == 60:
                    assert lost.wait(300)
                session.push(piece)
            session.finish()

        pushing = threading.Thread(target=push)
        pushing.start()
        segments: list[transcription_pb2.TranscriptSegment] = []
        for event in session:
            if event.HasField("segment"):
                segments.append(event.segment)
                if len(segments) == 5:
                    lose(servers, between)
                    lost.set()
        pushing.join()
    assert " ".join(s.text for s in segments) == NUMBERS
    assert session.text == session.transcript.text == NUMBERS
    assert list(session.transcript.segments) == segments
    assert session.transcript.audio_duration.ToTimedelta().total_seconds() == COUNT / 10
    assert session.served_by is not None and session.served_by.instance == "10.0.0.2:50051"


def test_a_session_continues_while_nobody_iterates(servers: list[Server], between: Proxy) -> None:
    with modelgateway.Client(between.address) as client, client.open_transcription(format=PCM) as session:
        for n, piece in enumerate(spoken()):
            if n == 20:
                lose(servers, between)
            session.push(piece)
        session.finish()
        assert list(session)[-1].final.text == NUMBERS


def test_a_session_continues_on_another_server_by_asyncio(servers: list[Server], between: Proxy) -> None:
    async def main() -> None:
        async with modelgateway.AsyncClient(between.address) as client:
            async with client.open_transcription(format=PCM) as session:
                lost = asyncio.Event()

                async def push() -> None:
                    for n, piece in enumerate(spoken()):
                        if n == 60:
                            await lost.wait()
                        await session.push(piece)
                    await session.finish()

                pushing = asyncio.create_task(push())
                segments = []
                async for event in session:
                    if event.HasField("segment"):
                        segments.append(event.segment.text)
                        if len(segments) == 5:
                            await asyncio.to_thread(lose, servers, between)
                            lost.set()
                await pushing
        assert " ".join(segments) == session.text == NUMBERS

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_session_leaves_a_server_that_is_silent(servers: list[Server], between: Proxy) -> None:
    with modelgateway.Client(between.address) as client, client.open_transcription(format=PCM) as session:
        pieces = list(spoken())
        for piece in pieces[:40]:
            session.push(piece)
        assert next(session).segment.text == "1 2 3 4 5"
        servers[0].process.send_signal(signal.SIGSTOP)  # as a machine without power: its connections stay open
        try:
            between.target = servers[1].grpc
            for piece in pieces[40:]:
                session.push(piece, timeout=300)
            session.finish(timeout=300)
            assert list(session)[-1].final.text == NUMBERS
        finally:
            servers[0].process.kill()
            servers[0].process.wait()


class Recorder(service_pb2_grpc.ModelGatewayServiceServicer):
    """Notes the metadata of calls. Its session ends when it has audio."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []
        self.lost = threading.Event()

    def _note(self, context: grpc.ServicerContext) -> None:
        self.calls.append({str(k): str(v) for k, v in context.invocation_metadata()})

    def Chat(self, request: chat_pb2.ChatRequest, context: grpc.ServicerContext) -> chat_pb2.ChatResponse:
        self._note(context)
        return chat_pb2.ChatResponse()

    def OpenTranscription(
        self, request: transcription_pb2.OpenTranscriptionRequest, context: grpc.ServicerContext
    ) -> Iterator[transcription_pb2.OpenTranscriptionResponse]:
        self._note(context)
        context.send_initial_metadata((("mg-endpoint", "10.0.0.9:1"),))
        yield transcription_pb2.OpenTranscriptionResponse(session_id="s", next_audio_sequence=len(self.calls) - 1)
        self.lost.wait()
        if request.session_id:
            final = transcription_pb2.TranscriptionEvent(final=transcription_pb2.Transcript(text="x"))
            yield transcription_pb2.OpenTranscriptionResponse(session_id="s", event_sequence=1, event=final)
        else:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")

    def PushAudio(
        self, request: transcription_pb2.PushAudioRequest, context: grpc.ServicerContext
    ) -> transcription_pb2.PushAudioResponse:
        self._note(context)
        self.lost.set()
        return transcription_pb2.PushAudioResponse()


@pytest.fixture
def recorder() -> Iterator[tuple[Recorder, str]]:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    servicer = Recorder()
    service_pb2_grpc.add_ModelGatewayServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None)


def test_pushes_and_reopenings_name_the_server(recorder: tuple[Recorder, str]) -> None:
    servicer, address = recorder
    with modelgateway.Client(address) as client, client.open_transcription(format=PCM, model="whisper") as session:
        session.push(b"xx")
        assert [event.final.text for event in session] == ["x"]
    opened, pushed, reopened = servicer.calls
    assert "mg-endpoint" not in opened and opened["mg-model"] == "whisper"
    assert pushed["mg-endpoint"] == reopened["mg-endpoint"] == "10.0.0.9:1"


def test_calls_name_their_conversation_and_model(recorder: tuple[Recorder, str]) -> None:
    servicer, address = recorder

    async def chat() -> None:
        async with modelgateway.AsyncClient(address) as client:
            await client.conversation("Chào").chat("Hello", model="qwen")

    with modelgateway.Client(address) as client:
        client.conversation("one").conversation("Chào").chat("Hello", model="qwen")
        client.chat("Hello")
        client.chat("Hello", model="Mô hình")
    asyncio.run(chat())
    first, plain, unsendable, by_asyncio = servicer.calls
    for call in (first, by_asyncio):
        assert call["mg-affinity"] == hashlib.sha256("Chào".encode()).hexdigest()[:32]  # as every client
        assert call["mg-model"] == "qwen"
    for call in (plain, unsendable):
        assert not {"mg-affinity", "mg-model"} & set(call)
