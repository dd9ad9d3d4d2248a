"""Calls and streams of the asyncio client. Cancelling a task cancels its call on the server."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import IO, Any, TypeVar, Union

import grpc
from grpc import aio

from modelgateway.v1 import chat_pb2, synthesis_pb2, transcription_pb2

from . import _results
from . import audio as audio_module
from ._calls import AFFINITY_HEADER, Deadline, Metadata, Retry, affinity, named
from .audio import AudioSource, Wav
from .errors import error_of

Self = TypeVar("Self", bound="_AsyncStream")
#: As AudioSource, or an asynchronous iterator of bytes.
AsyncAudioSource = Union[AudioSource, AsyncIterable[bytes]]


class AsyncCaller:
    """Calls methods with deadlines and retries; raises this package's exceptions."""

    def __init__(self, retry: Retry, metadata: Metadata) -> None:
        self._retry = retry
        self._metadata = metadata

    def of(self, conversation: str) -> AsyncCaller:
        """Returns a caller for the calls of a conversation."""
        others = tuple(item for item in self._metadata if item[0] != AFFINITY_HEADER)
        return AsyncCaller(self._retry, (*others, *affinity(conversation)))

    def metadata_of(self, request: Any, more: Metadata = ()) -> aio.Metadata:
        """Returns the metadata of a call. request is the request, or its config."""
        return aio.Metadata(*self._metadata, *named(request), *more)

    async def attempt(self, call: Callable[[], Awaitable[None]], deadline: Deadline, *, retry: bool = True) -> None:
        """Calls until it succeeds, or a retry cannot help."""
        for attempt in itertools.count(1):
            try:
                await call()
                return
            except grpc.RpcError as failure:
                error = deadline.judge(error_of(failure))
                wait = self._retry.wait(error, attempt, deadline) if retry else None
                if wait is None:
                    raise error from failure
            await asyncio.sleep(wait)

    async def unary(
        self,
        method: Any,
        request: Callable[[], Any],
        timeout: float | Deadline,
        *,
        config: Any = None,
        metadata: Metadata = (),
        retry: bool = True,
    ) -> Any:
        """Calls a unary method. request returns a new request for each attempt, config is one that is a stream's."""
        deadline = timeout if isinstance(timeout, Deadline) else Deadline(timeout)
        answers: list[Any] = []

        async def once() -> None:
            message = request()
            header = self.metadata_of(config or message, metadata)
            answers.append(await method(message, timeout=deadline.remaining(), metadata=header))

        await self.attempt(once, deadline, retry=retry)
        return answers[-1]

    async def stream(
        self, method: Any, request: Callable[[], Any], timeout: float, *, config: Any = None, retry: bool = True
    ) -> AsyncGenerator[Any, None]:
        """Calls a method that returns a stream. It is retried only before the first answer."""
        deadline = Deadline(timeout)
        for attempt in itertools.count(1):
            message = request()
            header = self.metadata_of(config or message)
            call = method(message, timeout=deadline.remaining(), metadata=header)
            began = False
            try:
                async for answer in call:
                    began = True
                    yield answer
                return
            except grpc.RpcError as failure:
                error = deadline.judge(error_of(failure))
                wait = self._retry.wait(error, attempt, deadline) if retry and not began else None
                if wait is None:
                    raise error from failure
            finally:
                call.cancel()  # closing the stream early stops the work
            await asyncio.sleep(wait)


class AsyncFeed(AsyncIterator[Any]):
    """Requests of a stream to the server. An exception of their source is kept."""

    def __init__(self, requests: AsyncIterator[Any]) -> None:
        self._requests = requests
        self.failure: BaseException | None = None

    async def __anext__(self) -> Any:
        try:
            return await self._requests.__anext__()
        except (StopAsyncIteration, asyncio.CancelledError):
            raise
        except BaseException as failure:
            self.failure = failure
            raise


async def pieces(source: AsyncAudioSource) -> AsyncGenerator[bytes, None]:
    """Yields the bytes of a source in pieces that the server accepts. Blocking sources are read in a thread."""
    if isinstance(source, AsyncIterable):
        async for some in source:
            for piece in audio_module.pieces(some):
                yield piece
        return
    blocking = audio_module.pieces(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        for piece in blocking:
            yield piece
        return
    while (piece := await asyncio.to_thread(next, blocking, b"")) != b"":
        yield piece


async def whole(source: AsyncAudioSource) -> bytes:
    """Returns all bytes of a source."""
    if isinstance(source, bytes):
        return source
    return b"".join([piece async for piece in pieces(source)])


class _AsyncStream:
    """A stream that cancels its call when it is closed early."""

    def __init__(self, messages: AsyncGenerator[Any, None]) -> None:
        self._messages = messages

    async def aclose(self) -> None:
        """Cancels the call if it is still running."""
        await self._messages.aclose()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncChatStream(_results.ChatState, _AsyncStream, AsyncIterator[str]):
    """Yields the pieces of an answer. The call starts when the first one is requested."""

    def __init__(self, messages: AsyncGenerator[chat_pb2.StreamChatResponse, None]) -> None:
        _results.ChatState.__init__(self)
        _AsyncStream.__init__(self, messages)

    async def __anext__(self) -> str:
        while True:
            if delta := self._take(await self._messages.__anext__()):
                return delta

    async def read(self) -> str:
        """Waits for the end and returns the whole text."""
        async for _ in self:
            pass
        return self.text


class AsyncSpeechStream(_results.SpeechState, _AsyncStream, AsyncIterator[bytes]):
    """Yields speech as pieces of PCM. The call starts when the first one is requested."""

    def __init__(self, messages: AsyncGenerator[synthesis_pb2.SynthesizeResponse, None]) -> None:
        _results.SpeechState.__init__(self)
        _AsyncStream.__init__(self, messages)

    async def __anext__(self) -> bytes:
        while True:
            if audio := self._take(await self._messages.__anext__()):
                return audio

    async def read(self) -> bytes:
        """Waits for the end and returns the samples that were not read yet."""
        return b"".join([piece async for piece in self])

    async def wav(self) -> Wav:
        """Waits for the end and returns a WAV file."""
        pcm = await self.read()
        return self._wav(pcm)

    async def save(self, target: str | os.PathLike[str] | IO[bytes]) -> None:
        """Waits for the end and writes a WAV file."""
        file = await self.wav()
        await asyncio.to_thread(file.save, target)


class AsyncTranscriptionStream(
    _results.TranscriptionState, _AsyncStream, AsyncIterator[transcription_pb2.TranscriptionEvent]
):
    """Yields the events of a transcription: interim results, final segments, and the complete transcript."""

    def __init__(self, messages: AsyncGenerator[transcription_pb2.StreamTranscribeResponse, None]) -> None:
        _results.TranscriptionState.__init__(self)
        _AsyncStream.__init__(self, messages)

    async def __anext__(self) -> transcription_pb2.TranscriptionEvent:
        while True:
            message = await self._messages.__anext__()
            if message.HasField("served_by"):
                self.served_by = message.served_by
            if message.HasField("event"):
                event: transcription_pb2.TranscriptionEvent = message.event
                self._event(event)
                return event


async def fed(messages: AsyncGenerator[Any, None], feed: AsyncFeed) -> AsyncGenerator[Any, None]:
    """Yields messages. If the source of the requests failed, raises its exception instead of the call's."""
    try:
        async for message in messages:
            yield message
    except BaseException as error:  # gRPC cancels the call if its source fails
        if feed.failure is not None:
            raise feed.failure from error
        raise
    finally:
        await messages.aclose()
