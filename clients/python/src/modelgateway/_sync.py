"""Calls of the blocking client."""

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
from ._calls import Deadline, Retry
from .audio import Wav
from .errors import error_of

Response = TypeVar("Response")
Self = TypeVar("Self", bound="_Stream")
Metadata = "tuple[tuple[str, str], ...]"


class Caller:
    """Calls methods with deadlines and retries, and raises this package's errors."""

    def __init__(self, retry: Retry, metadata: tuple[tuple[str, str], ...]) -> None:
        self._retry = retry
        self._metadata = metadata

    def unary(self, method: Any, request: Callable[[], Any], timeout: float, *, retry: bool = True) -> Any:
        """Calls a method with one answer; request makes what is sent, anew for each try."""
        deadline = Deadline(timeout)
        for attempt in itertools.count(1):
            try:
                return method(request(), timeout=deadline.remaining(), metadata=self._metadata)
            except grpc.RpcError as failure:
                error = deadline.judge(error_of(failure))
                wait = self._retry.wait(error, attempt, deadline) if retry else None
                if wait is None:
                    raise error from failure
            time.sleep(wait)

    def stream(
        self, method: Any, request: Callable[[], Any], timeout: float, *, retry: bool = True
    ) -> Generator[Any, None, None]:
        """Calls a method with a stream of answers; tries again only before the first of them."""
        deadline = Deadline(timeout)
        for attempt in itertools.count(1):
            call = method(request(), timeout=deadline.remaining(), metadata=self._metadata)
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
                call.cancel()  # whoever leaves early ends the work
            time.sleep(wait)


class Feed(Iterator[Any]):
    """Requests of a stream upwards. gRPC reads them in a thread of its own; what their source raises is kept."""

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
    """The end of a stream: leaving it early cancels the call."""

    def __init__(self, messages: Generator[Any, None, None]) -> None:
        self._messages = messages

    def close(self) -> None:
        """Cancels the call, if it goes on."""
        self._messages.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class ChatStream(_results.ChatState, _Stream, Iterator[str]):
    """An answer's pieces of text. Nothing is sent before the first is asked for."""

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
    """Speech as pieces of PCM. Nothing is sent before the first is asked for."""

    def __init__(self, messages: Generator[synthesis_pb2.SynthesizeResponse, None, None]) -> None:
        _results.SpeechState.__init__(self)
        _Stream.__init__(self, messages)

    def __next__(self) -> bytes:
        while True:
            if audio := self._take(next(self._messages)):
                return audio

    def read(self) -> bytes:
        """Waits for the end and returns the samples that were left."""
        return b"".join(self)

    def wav(self) -> Wav:
        """Waits for the end and returns all as a WAV file."""
        pcm = self.read()
        return self._wav(pcm)

    def save(self, target: str | os.PathLike[str] | IO[bytes]) -> None:
        """Waits for the end and writes a WAV file."""
        self.wav().save(target)


class TranscriptionStream(_results.TranscriptionState, _Stream, Iterator[transcription_pb2.TranscriptionEvent]):
    """Events of a transcription: interim guesses, finished segments, and the final transcript."""

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
    """Raises what the source of a stream upwards raised, instead of the broken call that it left."""
    try:
        yield from messages
    except Exception as error:
        if feed.failure is not None:
            raise feed.failure from error
        raise
    finally:
        messages.close()
