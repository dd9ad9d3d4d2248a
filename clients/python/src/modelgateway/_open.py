"""A transcription session: audio is sent in separate calls."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

import grpc

from modelgateway.v1 import transcription_pb2

from . import audio as audio_module
from ._calls import Deadline, deadline_passed, endpoint_of
from ._session import SessionState, ended_early
from ._sync import Caller
from .errors import ModelGatewayError, error_of


class OpenTranscription(SessionState, Iterator[transcription_pb2.TranscriptionEvent]):
    """A transcription session. Send audio with push(), end it with finish(), and iterate over the events.

    push() may be called from another thread than the one that iterates, but not
    concurrently. If it fails, or is cancelled, the session still has the audio: the
    next push() or finish() sends it first. Do not push it again.

    If the stream of events breaks, it is resumed without losing an event. If the
    server is lost, the session continues on another one: it keeps the audio whose
    words are not final, and sends it again from there. No word is lost, and none
    comes twice. Words that were not final may change.
    """

    def __init__(
        self, caller: Caller, stub: Any, config: transcription_pb2.TranscriptionConfig, timeout: float
    ) -> None:
        super().__init__(config)
        self._caller = caller
        self._stub = stub
        self._deadline = Deadline(timeout)
        self._lock = threading.Lock()  # of the state
        self._pushing = threading.Lock()  # held while pieces are sent
        self._reopening = threading.Lock()  # held while a stream is opened
        self._generation = 0  # number of the stream
        self._closed = False
        self._call: Any = None
        self._next_call: Any = None  # the stream that is being opened
        # The first opening is retried as every call.
        self._caller.attempt(lambda: self._open(self._deadline), self._deadline)

    def _open(self, deadline: Deadline) -> None:
        """Opens a stream, of the session or of a new one. The deadline is that of the opening."""
        with self._lock:
            request, route = self._opening(), self._route()
        metadata = self._caller.metadata_of(self._config, route)
        call = self._stub.OpenTranscription(request, timeout=self._deadline.remaining(), metadata=metadata)
        self._next_call = call
        if self._closed:
            call.cancel()
        with _cancelled_at(deadline, call):
            first = next(call, None)
            if first is None:
                raise ended_early()
            endpoint = endpoint_of(call.initial_metadata())
        with self._lock:
            self._call = call
            self._generation += 1
            self._opened(first, endpoint)

    def push(self, audio: bytes, *, timeout: float = 30.0) -> None:
        """Sends the next audio, of any length. Waits and retries if the server cannot accept more yet."""
        self._push(audio_module.pieces(audio), False, Deadline(timeout))

    def finish(self, *, timeout: float = 30.0) -> None:
        """Ends the audio; the server then sends the final result."""
        self._push([b""], True, Deadline(timeout))

    def _push(self, audio: Iterable[bytes], last: bool, deadline: Deadline) -> None:
        with self._lock:
            self._add(audio, last)
        self._send(deadline)

    def _send(self, deadline: Deadline) -> None:
        with _held(self._pushing, deadline):
            self._send_all(deadline)

    def _send_all(self, deadline: Deadline) -> None:
        """Sends the pieces that the server does not have. The caller holds _pushing."""
        while True:
            with self._lock:
                request, route, generation = self._next_push(), self._route(), self._generation
            if request is None:
                return
            try:
                self._caller.unary(self._stub.PushAudio, lambda: request, deadline, metadata=route)
            except ModelGatewayError as error:
                self._recover(generation, error, deadline)
                continue
            with self._lock:
                if self._generation == generation:
                    self._pushed(request.sequence)

    def __next__(self) -> transcription_pb2.TranscriptionEvent:
        while True:
            with self._lock:
                call, generation = self._call, self._generation
                if self.transcript is not None or self._closed:
                    raise StopIteration
            try:
                message = next(call)
            except (grpc.RpcError, StopIteration) as failure:
                if self._closed:
                    raise StopIteration from None
                error = ended_early()
                if isinstance(failure, grpc.RpcError):
                    error = self._deadline.judge(error_of(failure))
                try:
                    self._recover(generation, error, self._deadline)
                    self._send(self._deadline)  # for the case that nothing is pushed any more
                except ModelGatewayError:
                    if not self._closed:
                        raise
                continue
            with self._lock:
                event = self._take(message) if self._generation == generation else None
            if event is not None:
                return event

    def _recover(self, generation: int, failure: ModelGatewayError, deadline: Deadline) -> None:
        """Opens the next stream after a failure of one. Raises the failure if that cannot help."""
        deadline = deadline.earlier(self._deadline)
        with _held(self._reopening, deadline):
            if self._generation != generation or self.transcript is not None:
                return
            while True:
                with self._lock:
                    wait = None if self._closed else self._failed(failure, deadline.remaining())
                if wait is None:
                    raise failure
                self._call.cancel()  # if this opens no stream, whoever iterates does
                time.sleep(wait)
                try:
                    self._open(deadline)
                except grpc.RpcError as again:
                    failure = deadline.judge(error_of(again))
                except ModelGatewayError as again:
                    failure = again
                else:
                    return

    def close(self) -> None:
        """Closes the stream of events. The server ends the session 30 seconds later."""
        self._closed = True
        for call in (self._call, self._next_call):
            call.cancel()

    def __enter__(self) -> OpenTranscription:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextlib.contextmanager
def _held(lock: threading.Lock, deadline: Deadline) -> Iterator[None]:
    """Holds a lock. Raises DeadlineExceeded if others hold it until the deadline."""
    remaining = deadline.remaining()
    if not lock.acquire(timeout=-1 if remaining is None else min(remaining, threading.TIMEOUT_MAX)):
        raise deadline_passed()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _cancelled_at(deadline: Deadline, call: Any) -> Iterator[None]:
    """Cancels a call if the deadline passes before the block ends, and when the block raises."""
    remaining = deadline.remaining()
    timer = None if remaining is None else threading.Timer(min(remaining, threading.TIMEOUT_MAX), call.cancel)
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield
    except BaseException:
        call.cancel()
        raise
    finally:
        if timer is not None:
            timer.cancel()
