"""Tests what a transcription session notes, and that it keeps to the times of its callers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import grpc
import pytest
from test_open import PCM

import modelgateway
from modelgateway import _session
from modelgateway.errors import (
    DeadlineExceeded,
    EngineCrashed,
    InvalidRequest,
    QueueFull,
    ServerUnreachable,
    SessionLost,
)
from modelgateway.v1 import service_pb2_grpc, transcription_pb2

LOST = SessionLost("it is lost", reason="SESSION_LOST", code=grpc.StatusCode.NOT_FOUND)
BROKEN = ServerUnreachable("the connection broke", code=grpc.StatusCode.UNAVAILABLE)


def answer(
    session_id: str, sequence: int = 0, text: str = "", committed: int = 0
) -> transcription_pb2.OpenTranscriptionResponse:
    """Returns a message of a session: its first, or one with a segment."""
    message = transcription_pb2.OpenTranscriptionResponse(session_id=session_id, event_sequence=sequence)
    if sequence:
        message.event.segment.text = text
        message.event.offset.committed_sequence = committed
    return message


def opened(session_id: str = "a") -> _session.SessionState:
    state = _session.SessionState(transcription_pb2.TranscriptionConfig())
    state._opened(answer(session_id), "")
    return state


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_session, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.mark.parametrize("error", [LOST, EngineCrashed("it crashed", reason="ENGINE_CRASHED")])
def test_events_of_a_lost_session_are_not_taken(error: modelgateway.ModelGatewayError) -> None:
    state = opened()
    state._add([b"1", b"2", b"3"], False)
    for sequence in range(3):
        state._pushed(sequence)
    assert state._take(answer("a", 1, "one", 1)) is not None
    assert state._failed(error) is not None
    request = state._opening()
    assert request.config.resume_from.committed_sequence == 1
    assert state._take(answer("a", 2, "two", 2)) is None  # the old stream had it still
    state._opened(answer("b"), "")
    assert state._take(answer("a", 3, "three", 3)) is None
    state._sent = 1
    push = state._next_push()
    assert push is not None and (push.session_id, push.sequence, push.audio) == ("b", 1, b"2")
    assert state._take(answer("b", 1, "two", 2)) is not None
    assert [s.text for s in state._segments] == ["one", "two"]


def test_an_event_that_comes_twice_is_taken_once() -> None:
    state = opened()
    assert state._take(answer("a", 1, "one")) is not None
    assert state._failed(BROKEN) is not None
    assert state._take(answer("a", 2, "two")) is not None  # from the old stream
    state._opened(answer("a"), "")
    assert state._take(answer("a", 2, "two")) is None
    assert state._take(answer("a", 3, "three")) is not None


def test_a_later_break_has_its_own_time(clock: Clock) -> None:
    state = opened()
    for _ in range(5):
        assert state._failed(BROKEN) is not None
        clock.now += 1
        state._opened(answer("a"), "")
        clock.now += 20
    assert state._failed(BROKEN) is not None
    clock.now += _session.RESUME_WITHIN
    assert state._failed(BROKEN) is None  # no stream was opened since


def test_a_stream_that_breaks_at_once_gets_no_time(clock: Clock) -> None:
    state = opened()
    attempts = 0
    while state._failed(BROKEN) is not None:
        attempts += 1
        assert attempts < 100
        clock.now += 1
        state._opened(answer("a"), "")


def test_failures_that_nothing_recovers_start_no_clock(clock: Clock) -> None:
    state = opened()
    for error in (
        DeadlineExceeded("late", code=grpc.StatusCode.DEADLINE_EXCEEDED),
        QueueFull("full", reason="QUEUE_FULL"),
    ):
        assert state._failed(error) is None
    assert state._failed(LOST, 0.0) is None  # the caller has no time left
    assert state.session_id == "a"
    clock.now += _session.RESUME_WITHIN + 1
    assert state._failed(BROKEN) is not None


def test_the_audio_of_a_failed_push_is_sent_first() -> None:
    state = opened()
    state._add([b"1"], False)  # its call fails, but may have reached the server
    state._add([b""], True)
    state._add([b""], True)  # finish() is called again
    pushed = []
    while push := state._next_push():
        pushed.append((push.sequence, push.audio, push.last))
        state._pushed(push.sequence)
    assert pushed == [(0, b"1", False), (1, b"", True)]
    with pytest.raises(InvalidRequest):
        state._add([b"2"], False)


def test_audio_that_is_not_sent_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "KEPT_BYTES", 10)
    state = opened()
    state._add([b"x" * 11], False)
    with pytest.raises(modelgateway.ModelGatewayError, match="too much audio was not sent"):
        state._add([b"x"], False)
    state._pushed(0)
    assert not state._kept
    state._add([b"x"], False)


class Silent(service_pb2_grpc.ModelGatewayServiceServicer):
    """Loses its first session, and never answers to the opening of the next one."""

    def __init__(self) -> None:
        self.opened = 0
        self.waits = threading.Semaphore(0)  # of openings that get no answer
        self.over = threading.Event()

    def OpenTranscription(
        self, request: transcription_pb2.OpenTranscriptionRequest, context: grpc.ServicerContext
    ) -> Iterator[transcription_pb2.OpenTranscriptionResponse]:
        self.opened += 1
        if self.opened == 1:
            yield answer("s")
        else:
            self.waits.release()
        while context.is_active() and not self.over.wait(0.05):
            pass

    def PushAudio(
        self, request: transcription_pb2.PushAudioRequest, context: grpc.ServicerContext
    ) -> transcription_pb2.PushAudioResponse:
        context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")


@pytest.fixture
def silent() -> Iterator[tuple[Silent, str]]:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    servicer = Silent()
    service_pb2_grpc.add_ModelGatewayServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    servicer.over.set()
    server.stop(None)


RETRY = modelgateway.Retry(attempts=1)


def test_a_push_keeps_to_its_timeout_while_a_stream_opens(silent: tuple[Silent, str]) -> None:
    servicer, address = silent
    with modelgateway.Client(address, retry=RETRY) as client, client.open_transcription(format=PCM) as session:
        with pytest.raises(DeadlineExceeded):
            session.push(b"xx", timeout=2)
        assert servicer.opened == 2


def test_close_ends_an_opening(silent: tuple[Silent, str]) -> None:
    servicer, address = silent
    with modelgateway.Client(address, retry=RETRY) as client, client.open_transcription(format=PCM) as session:

        def close() -> None:
            servicer.waits.acquire()
            session.close()

        closing = threading.Thread(target=close)
        closing.start()
        start = time.monotonic()
        with pytest.raises(modelgateway.ModelGatewayError):
            session.push(b"xx", timeout=300)
        assert time.monotonic() - start < 250  # far below the timeout of the push
        closing.join()


def test_asyncio_keeps_to_the_timeout_while_a_stream_opens(silent: tuple[Silent, str]) -> None:
    servicer, address = silent

    async def main() -> None:
        async with modelgateway.AsyncClient(address, retry=RETRY) as client:
            async with client.open_transcription(format=PCM) as session:
                with pytest.raises(DeadlineExceeded):
                    await session.push(b"xx", timeout=2)
                assert servicer.waits.acquire(timeout=60)
                pushing = asyncio.create_task(session.push(b"xx", timeout=300))
                await asyncio.to_thread(servicer.waits.acquire)
                await session.aclose()
                with pytest.raises(modelgateway.ModelGatewayError):
                    await pushing

    asyncio.run(asyncio.wait_for(main(), 250))
