"""What a transcription session knows, shared by the blocking client and the asyncio client. It makes no calls."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterable

import grpc

from modelgateway.v1 import transcription_pb2

from . import _results
from ._calls import ENDPOINT_HEADER, RESUME_WITHIN, Metadata
from .errors import Draining, EngineCrashed, InvalidRequest, ModelGatewayError, SessionLost

#: How much audio a session keeps, in bytes. If its words are not final when there is
#: more, the loss of the server ends the session.
KEPT_BYTES = 64 << 20

#: After how many seconds a stream counts as good: if it breaks later, the time to
#: continue begins anew.
STOOD = 5.0

#: Codes of calls whose connection broke. Proxies end streams in several ways then.
_BROKEN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
)


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of audio that was pushed."""

    sequence: int
    audio: bytes
    last: bool


class SessionState(_results.TranscriptionState):
    """A session that can continue on another server, with the audio whose words are not final."""

    def __init__(self, config: transcription_pb2.TranscriptionConfig) -> None:
        super().__init__()
        self._config = config
        self._offset = transcription_pb2.TranscriptionOffset()
        self._offset.CopyFrom(config.resume_from)
        #: Id of the session on its server; "" if there is none.
        self.session_id = ""
        self._endpoint = ""
        self._kept: collections.deque[Piece] = collections.deque()
        self._size = 0  # of _kept
        self._next = self._offset.committed_sequence  # number of the next new piece
        self._sent = self._next  # number of the next piece that the server expects
        self._last_event = 0
        self._segments: list[transcription_pb2.TranscriptSegment] = []
        self._before = 0  # segments before the present session
        self._ended = False  # the last piece was added
        self._failures = 0  # since the last event, or the last stream that stood
        self._since = 0.0
        self._opened_at: float | None = None  # when the present stream was opened; None if it failed
        self._crashed = False  # the engine crashed since the last event

    def _add(self, audio: Iterable[bytes], last: bool) -> None:
        """Keeps new pieces. Their numbers are never used again: the server may get a piece whose call failed."""
        if self._ended:
            if last:
                return
            raise InvalidRequest(
                "the audio has ended: finish() was called. Open another transcription for more",
                code=grpc.StatusCode.INVALID_ARGUMENT,
            )
        if not last and sum(len(p.audio) for p in self._kept if p.sequence >= self._sent) > KEPT_BYTES:
            raise ModelGatewayError(
                "too much audio was not sent, because earlier pushes failed: wait for the server, and push this again",
                code=grpc.StatusCode.RESOURCE_EXHAUSTED,
            )
        for some in audio:
            self._kept.append(Piece(self._next, bytes(some), last))
            self._size += len(some)
            self._next += 1
        self._ended = last
        self._trim()

    def _pushed(self, sequence: int) -> None:
        """Notes that the server has a piece."""
        self._sent = sequence + 1
        self._trim()

    def _trim(self) -> None:
        while self._size > KEPT_BYTES and self._kept[0].sequence < self._sent:
            self._drop()

    def _drop(self) -> None:
        self._size -= len(self._kept.popleft().audio)

    def _next_push(self) -> transcription_pb2.PushAudioRequest | None:
        """Returns the next piece that the server does not have."""
        if self.transcript is not None:
            return None
        for piece in self._kept:
            if piece.sequence >= self._sent:
                return transcription_pb2.PushAudioRequest(
                    session_id=self.session_id, sequence=piece.sequence, audio=piece.audio, last=piece.last
                )
        return None

    def _route(self) -> Metadata:
        """Returns the header that names the session's server."""
        return ((ENDPOINT_HEADER, self._endpoint),) if self.session_id and self._endpoint else ()

    def _opening(self) -> transcription_pb2.OpenTranscriptionRequest:
        """Returns the request for the next stream: of the session, or of a new one."""
        if self.session_id:
            return transcription_pb2.OpenTranscriptionRequest(
                session_id=self.session_id, last_event_sequence=self._last_event
            )
        request = transcription_pb2.OpenTranscriptionRequest(config=self._config)
        if self._offset.ByteSize():
            request.config.resume_from.CopyFrom(self._offset)
        return request

    def _opened(self, first: transcription_pb2.OpenTranscriptionResponse, endpoint: str) -> None:
        """Notes the first message of a stream."""
        if not self.session_id:
            self._before, self._last_event = len(self._segments), 0
        self.session_id, self._sent, self._endpoint = first.session_id, first.next_audio_sequence, endpoint
        self._opened_at = time.monotonic()

    def _take(
        self, message: transcription_pb2.OpenTranscriptionResponse
    ) -> transcription_pb2.TranscriptionEvent | None:
        """Notes a message, and returns its event with all that went before it.

        Messages of a session that is lost do not count any more: the next one has the
        same audio. Nor do events that came before, by the stream before.
        """
        if message.session_id != self.session_id or not message.HasField("event"):
            return None
        if message.event_sequence <= self._last_event:
            return None
        event: transcription_pb2.TranscriptionEvent = message.event
        self._last_event = message.event_sequence
        self._failures, self._crashed = 0, False
        if event.HasField("segment"):
            self._segments.append(event.segment)
        if event.HasField("offset"):
            self._offset.CopyFrom(event.offset)
            while self._kept and self._kept[0].sequence < min(self._offset.committed_sequence, self._sent):
                self._drop()
        if event.HasField("final"):
            self._join(event.final)
            self.served_by = message.served_by
        self._event(event)
        return event

    def _join(self, final: transcription_pb2.Transcript) -> None:
        """Puts the segments of lost sessions before a transcript."""
        if not self._before:
            return
        before = self._segments[: self._before]
        final.text = " ".join([s.text for s in before] + ([final.text] if final.text else []))
        segments = [*before, *final.segments]
        del final.segments[:]
        final.segments.extend(segments)

    def _failed(self, error: ModelGatewayError, remaining: float | None = None) -> float | None:
        """Notes a failure. Returns how many seconds to wait before the next stream.

        Returns None if that cannot help, or there are not so many seconds. Nothing changes then.
        """
        now = time.monotonic()
        failures, since = self._failures + 1, self._since
        if failures == 1 or (self._opened_at is not None and now - self._opened_at > STOOD):
            failures, since = 1, now
        wait: float = min(0.2 * 2.0 ** min(failures - 1, 8), 2.0)
        lost, crashed = True, self._crashed  # lost: the server does not have the session
        if isinstance(error, (SessionLost, Draining)):
            wait = 0.0 if failures == 1 else wait
        elif isinstance(error, EngineCrashed) and not crashed:
            crashed, wait = True, max(wait, error.retry_after or 0.0)
        elif error.code in _BROKEN and not error.from_server:
            lost = not self.session_id
        elif failures > 1 and not self.session_id and error.retry_after is not None:
            wait = error.retry_after  # no server has a place for it yet
        else:
            return None
        first = self._kept[0].sequence if self._kept else self._next
        if lost and first > self._offset.committed_sequence:
            return None  # audio that another server would need is not kept any more
        if now + wait - since > RESUME_WITHIN or (remaining is not None and wait >= remaining):
            return None
        self._failures, self._since, self._crashed, self._opened_at = failures, since, crashed, None
        if lost:
            self.session_id = ""
        if lost or failures > 3:
            self._endpoint = ""  # ask another server
        return wait


def ended_early() -> ModelGatewayError:
    """Returns the error of a stream that the server, or a proxy, ended without an error."""
    return ModelGatewayError("the stream of events ended before the transcript", code=grpc.StatusCode.UNAVAILABLE)
