"""A transcription session: audio is sent in separate calls."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any

from modelgateway.v1 import transcription_pb2

from . import _results
from . import audio as audio_module
from ._calls import RESUME_WITHIN
from ._sync import Caller
from .errors import ServerUnreachable


class OpenTranscription(_results.TranscriptionState, Iterator[transcription_pb2.TranscriptionEvent]):
    """A transcription session. Send audio with push(), end it with finish(), and iterate over the events.

    push() may be called from another thread than the one that iterates, but not
    concurrently. If it fails, it may be called again with the same audio. If the
    stream of events breaks, it is resumed without losing an event.
    """

    def __init__(
        self, caller: Caller, stub: Any, config: transcription_pb2.TranscriptionConfig, timeout: float
    ) -> None:
        super().__init__()
        self._caller = caller
        self._stub = stub
        self._config = config
        self._timeout = timeout
        self._last_event = 0
        self._next_audio = 0
        first = self._open()
        #: Id of the session.
        self.session_id: str = first.session_id

    def _open(self, session_id: str = "") -> transcription_pb2.OpenTranscriptionResponse:
        request = transcription_pb2.OpenTranscriptionRequest(
            config=self._config, session_id=session_id, last_event_sequence=self._last_event
        )
        self._messages: Generator[Any, None, None] = self._caller.stream(
            self._stub.OpenTranscription, lambda: request, self._timeout
        )
        first: transcription_pb2.OpenTranscriptionResponse = next(self._messages)
        return first

    def push(self, audio: bytes, *, timeout: float = 30.0) -> None:
        """Sends the next audio, of any length. Waits and retries if the server cannot accept more yet."""
        for piece in audio_module.pieces(audio):
            self._push(piece, False, timeout)

    def finish(self, *, timeout: float = 30.0) -> None:
        """Ends the audio; the server then sends the final result."""
        self._push(b"", True, timeout)

    def _push(self, piece: bytes, last: bool, timeout: float) -> None:
        request = transcription_pb2.PushAudioRequest(
            session_id=self.session_id, sequence=self._next_audio, audio=piece, last=last
        )
        self._caller.unary(self._stub.PushAudio, lambda: request, timeout)
        self._next_audio += 1

    def __next__(self) -> transcription_pb2.TranscriptionEvent:
        while True:
            message = self._next_message()
            if message.event_sequence:
                self._last_event = message.event_sequence
            if message.HasField("served_by"):
                self.served_by = message.served_by
            if message.HasField("event"):
                self._event(message.event)
                return message.event

    def _next_message(self) -> transcription_pb2.OpenTranscriptionResponse:
        broken: float | None = None
        while True:
            try:
                if broken is not None:
                    return self._open(self.session_id)
                message: transcription_pb2.OpenTranscriptionResponse = next(self._messages)
                return message
            except ServerUnreachable:
                broken = broken or time.monotonic()
                if time.monotonic() - broken > RESUME_WITHIN:
                    raise
                time.sleep(0.2)

    def close(self) -> None:
        """Closes the stream of events. The server ends the session 30 seconds later."""
        self._messages.close()

    def __enter__(self) -> OpenTranscription:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
