"""A transcription session: audio is sent in separate calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any

import grpc
from grpc import aio

from modelgateway.v1 import transcription_pb2

from . import audio as audio_module
from ._async import AsyncCaller
from ._calls import Deadline, deadline_passed, endpoint_of
from ._session import SessionState, ended_early
from .errors import ModelGatewayError, error_of


class AsyncOpenTranscription(SessionState, AsyncIterator[transcription_pb2.TranscriptionEvent]):
    """A transcription session. Send audio with push(), end it with finish(), and iterate over the events.

    push() may be called from another task than the one that iterates, but not
    concurrently. If it fails, or is cancelled, the session still has the audio: the
    next push() or finish() sends it first. Do not push it again.

    If the stream of events breaks, it is resumed without losing an event. If the
    server is lost, the session continues on another one: it keeps the audio whose
    words are not final, and sends it again from there. No word is lost, and none
    comes twice. Words that were not final may change.
    """

    def __init__(
        self, caller: AsyncCaller, stub: Any, config: transcription_pb2.TranscriptionConfig, timeout: float
    ) -> None:
        super().__init__(config)
        self._caller = caller
        self._stub = stub
        self._deadline = Deadline(timeout)
        self._pushing = asyncio.Lock()  # held while pieces are sent
        self._reopening = asyncio.Lock()  # held while a stream is opened
        self._generation = 0  # number of the stream; 0 before the first push and the first event
        self._closed = False
        self._call: Any = None
        self._next_call: Any = None  # the stream that is being opened
        self._dropped: Any = None  # the last stream that another one replaces

    async def _begin(self) -> None:
        if self._generation:
            return
        async with self._reopening:
            if not self._generation:
                await self._caller.attempt(self._open, self._deadline)  # retried as every call

    async def _open(self) -> None:
        """Opens a stream, of the session or of a new one."""
        metadata = self._caller.metadata_of(self._config, self._route())
        call = self._stub.OpenTranscription(self._opening(), timeout=self._deadline.remaining(), metadata=metadata)
        self._next_call = call
        try:
            first = await call.read()
            if first is aio.EOF:
                raise ended_early()
            endpoint = endpoint_of(await call.initial_metadata())
        except BaseException as error:
            call.cancel()
            if isinstance(error, asyncio.CancelledError) and self._closed and not _cancelling():
                raise ended_early() from None  # aclose() cancelled the call, nobody this task
            raise
        self._call = call
        self._generation += 1
        self._opened(first, endpoint)
        if self._closed:
            call.cancel()

    async def push(self, audio: bytes, *, timeout: float = 30.0) -> None:
        """Sends the next audio, of any length. Waits and retries if the server cannot accept more yet."""
        await self._push(audio_module.pieces(audio), False, timeout)

    async def finish(self, *, timeout: float = 30.0) -> None:
        """Ends the audio; the server then sends the final result."""
        await self._push([b""], True, timeout)

    async def _push(self, audio: Iterable[bytes], last: bool, timeout: float) -> None:
        self._add(audio, last)
        await self._begin()
        deadline = Deadline(timeout)
        try:
            await asyncio.wait_for(self._send(deadline), deadline.remaining())
        except asyncio.TimeoutError as error:
            if isinstance(error, ModelGatewayError):
                raise
            raise deadline_passed() from None

    async def _send(self, deadline: Deadline) -> None:
        async with self._pushing:
            await self._send_all(deadline)

    async def _send_all(self, deadline: Deadline) -> None:
        """Sends the pieces that the server does not have. The caller holds _pushing."""
        while True:
            request, route, generation = self._next_push(), self._route(), self._generation
            if request is None:
                return
            try:
                await self._caller.unary(self._stub.PushAudio, lambda: request, deadline, metadata=route)
            except ModelGatewayError as error:
                await self._recover(generation, error, deadline)
                continue
            if self._generation == generation:
                self._pushed(request.sequence)

    async def __anext__(self) -> transcription_pb2.TranscriptionEvent:
        await self._begin()
        while True:
            if self.transcript is not None or self._closed:
                raise StopAsyncIteration
            call, generation = self._call, self._generation
            message: Any = None
            failure: ModelGatewayError | None = None
            try:
                message = await call.read()
                if message is aio.EOF:
                    failure = ended_early()
            except grpc.RpcError as error:
                failure = self._deadline.judge(error_of(error))
            except asyncio.CancelledError:  # of this task, or of a call that is replaced
                if not (call is self._dropped or self._closed) or _cancelling():
                    raise
                failure = ended_early()
            if failure is not None:
                if self._closed:
                    raise StopAsyncIteration
                try:
                    await self._recover(generation, failure, self._deadline)
                    await self._send(self._deadline)  # for the case that nothing is pushed any more
                except ModelGatewayError:
                    if not self._closed:
                        raise
                continue
            if self._generation != generation:
                continue
            event = self._take(message)
            if event is not None:
                return event

    async def _recover(self, generation: int, failure: ModelGatewayError, deadline: Deadline) -> None:
        """Opens the next stream after a failure of one. Raises the failure if that cannot help."""
        deadline = deadline.earlier(self._deadline)
        async with self._reopening:
            if self._generation != generation or self.transcript is not None:
                return
            while True:
                wait = None if self._closed else self._failed(failure, deadline.remaining())
                if wait is None:
                    raise failure
                self._dropped = self._call
                self._call.cancel()  # if this opens no stream, whoever iterates does
                await asyncio.sleep(wait)
                try:
                    await self._open()
                except grpc.RpcError as again:
                    failure = deadline.judge(error_of(again))
                except ModelGatewayError as again:
                    failure = again
                else:
                    return

    async def aclose(self) -> None:
        """Closes the stream of events. The server ends the session 30 seconds later."""
        self._closed = True
        for call in (self._call, self._next_call):
            if call is not None:
                call.cancel()

    async def __aenter__(self) -> AsyncOpenTranscription:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


def _cancelling() -> bool:
    """Reports whether the current task is being cancelled. Before Python 3.11 that is not known."""
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return bool(cancelling and cancelling())
