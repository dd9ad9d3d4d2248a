"""Calls and streams of the blocking client."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import IO, Any, TypeVar

import grpc

from modelgateway.v1 import chat_pb2, synthesis_pb2, transcription_pb2

from . import _results
from ._calls import AFFINITY_HEADER, Deadline, Metadata, Retry, affinity, named
from .audio import Wav
from .errors import error_of

Response = TypeVar("Response")
Self = TypeVar("Self", bound="_Stream")


class Caller:
    """Calls methods with deadlines and retries; raises this package's exceptions."""

    def __init__(self, retry: Retry, metadata: Metadata) -> None:
        self._retry = retry
        self._metadata = metadata

    def of(self, conversation: str) -> Caller:
        """Returns a caller for the calls of a conversation."""
        others = tuple(item for item in self._metadata if item[0] != AFFINITY_HEADER)
        return Caller(self._retry, (*others, *affinity(conversation)))

    def metadata_of(self, request: Any, more: Metadata = ()) -> Metadata:
        """Returns the metadata of a call. request is the request, or its config."""
        return (*self._metadata, *named(request), *more)

    def attempt(self, call: Callable[[], None], deadline: Deadline, *, retry: bool = True) -> None:
        """Calls until it succeeds, or a retry cannot help."""
        for attempt in itertools.count(1):
            try:
                call()
                return
            except grpc.RpcError as failure:
                error = deadline.judge(error_of(failure))
                wait = self._retry.wait(error, attempt, deadline) if retry else None
                if wait is None:
                    raise error from failure
            time.sleep(wait)

    def unary(
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

        def once() -> None:
            message = request()
            header = self.metadata_of(config or message, metadata)
            answers.append(method(message, timeout=deadline.remaining(), metadata=header))

        self.attempt(once, deadline, retry=retry)
        return answers[-1]

    def stream(
        self, method: Any, request: Callable[[], Any], timeout: float, *, config: Any = None, retry: bool = True
    ) -> Generator[Any, None, None]:
        """Calls a method that returns a stream. It is retried only before the first answer."""
        deadline = Deadline(timeout)
        for attempt in itertools.count(1):
            message = request()
            header = self.metadata_of(config or message)
            call = method(message, timeout=deadline.remaining(), metadata=header)
            began = False
            try:
                for answer in call:
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
            time.sleep(wait)


class Feed(Iterator[Any]):
    """Requests of a stream to the server. gRPC reads them in another thread; an exception of their source is kept."""

    def __init__(self, requests: Iterable[Any]) -> None:
        self._requests = iter(requests)
        self.failure: BaseException | None = None

    def __next__(self) -> Any:
        try:
            return next(self._requests)
        except StopIteration:
            raise
        except BaseException as failure:
            self.failure = failure
            raise


class _Stream:
    """A stream that cancels its call when it is closed early."""

    def __init__(self, messages: Generator[Any, None, None]) -> None:
        self._messages = messages

    def close(self) -> None:
        """Cancels the call if it is still running."""
        self._messages.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class ChatStream(_results.ChatState, _Stream, Iterator[str]):
    """Yields the pieces of an answer. The call starts when the first one is requested."""

    def __init__(self, messages: Generator[chat_pb2.StreamChatResponse, None, None]) -> None:
        _results.ChatState.__init__(self)
        _Stream.__init__(self, messages)

    def __next__(self) -> str:
        while True:
            if delta := self._take(next(self._messages)):
                return delta

    def read(self) -> str:
        """Waits for the end and returns the whole text."""
        for _ in self:
            pass
        return self.text


class SpeechStream(_results.SpeechState, _Stream, Iterator[bytes]):
    """Yields speech as pieces of PCM. The call starts when the first one is requested."""

    def __init__(self, messages: Generator[synthesis_pb2.SynthesizeResponse, None, None]) -> None:
        _results.SpeechState.__init__(self)
        _Stream.__init__(self, messages)

    def __next__(self) -> bytes:
        while True:
            if audio := self._take(next(self._messages)):
                return audio

    def read(self) -> bytes:
        """Waits for the end and returns the samples that were not read yet."""
        return b"".join(self)

    def wav(self) -> Wav:
        """Waits for the end and returns a WAV file."""
        pcm = self.read()
        return self._wav(pcm)

    def save(self, target: str | os.PathLike[str] | IO[bytes]) -> None:
        """Waits for the end and writes a WAV file."""
        self.wav().save(target)


class TranscriptionStream(_results.TranscriptionState, _Stream, Iterator[transcription_pb2.TranscriptionEvent]):
    """Yields the events of a transcription: interim results, final segments, and the complete transcript."""

    def __init__(self, messages: Generator[transcription_pb2.StreamTranscribeResponse, None, None]) -> None:
        _results.TranscriptionState.__init__(self)
        _Stream.__init__(self, messages)

    def __next__(self) -> transcription_pb2.TranscriptionEvent:
        while True:
            message = next(self._messages)
            if message.HasField("served_by"):
                self.served_by = message.served_by
            if message.HasField("event"):
                event: transcription_pb2.TranscriptionEvent = message.event
                self._event(event)
                return event


def fed(messages: Generator[Response, None, None], feed: Feed) -> Generator[Response, None, None]:
    """Yields messages. If the source of the requests failed, raises its exception instead of the call's."""
    try:
        yield from messages
    except Exception as error:
        if feed.failure is not None:
            raise feed.failure from error
        raise
    finally:
        messages.close()
