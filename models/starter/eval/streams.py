"""The forms of streaming transcription, and what a listener learns from each when speech arrives at its pace."""

import dataclasses
import http.client
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator

import modelgateway
from google.protobuf import json_format
from modelgateway import audio
from modelgateway.v1 import transcription_pb2 as pb

from . import scores
from .run import LOCAL, Unmeasured
from .server import Addresses

PIECE = 0.1  # seconds of audio that are sent at once
TIMEOUT = 1800.0  # seconds for a stream; long, because the machine may be busy
SERVICE = "/modelgateway.v1.ModelGatewayService/"

Pieces = Iterator[bytes]
Form = Callable[[Addresses, int, Pieces], Iterator[pb.TranscriptionEvent]]


@dataclasses.dataclass
class Heard:
    """What a stream told about a clip."""

    text: str = ""
    changed: int = 0  # events that changed committed text
    delays: list[float] = dataclasses.field(default_factory=list)  # seconds from the end of a word until it is told
    rest: float = 0.0  # seconds from the end of the audio to the final result


class Listener:
    """Follows the events of a stream."""

    def __init__(self) -> None:
        self.started = self.ended = 0.0
        self.segments = ""
        self.committed = ""
        self.heard = Heard()
        self.told: list[tuple[float, list[str]]] = []  # when, and the words so far

    def pieces(self, pcm: bytes, rate: int) -> Pieces:
        """Yields the samples, each piece when it has been spoken."""
        size = int(PIECE * rate) * 2
        self.started = time.monotonic()
        self.ended = self.started + len(pcm) / 2 / rate
        for at in range(0, len(pcm), size):
            time.sleep(max(0.0, self.started + (at + size) / 2 / rate - time.monotonic()))
            yield pcm[at:at + size]

    def event(self, event: pb.TranscriptionEvent) -> None:
        committed = tentative = ""
        if event.HasField("segment"):
            self.segments += " " + event.segment.text
        if event.HasField("interim"):
            committed, tentative = event.interim.committed_text, event.interim.tentative_text
        if event.HasField("final"):
            self._final(event.final)
            return
        # A word may continue in the next segment: spaces do not count.
        sure = "".join(f"{self.segments} {committed}".split())
        # After a segment, the committed text that is not part of it comes with the next interim result.
        if not (sure.startswith(self.committed) or event.HasField("segment") and self.committed.startswith(sure)):
            self.heard.changed += 1
        if not event.HasField("segment"):
            self.committed = sure
            self.told.append((time.monotonic(), scores.normalise(f"{self.segments} {committed}{tentative}").split()))

    def _final(self, final: pb.Transcript) -> None:
        if not "".join(final.text.split()).startswith(self.committed):
            self.heard.changed += 1
        self.heard.text = final.text
        self.told.append((time.monotonic(), scores.normalise(final.text).split()))
        self.heard.rest = self.told[-1][0] - self.ended
        ends = [(word, one.end.ToTimedelta().total_seconds()) for segment in final.segments for one in segment.words
                for word in scores.normalise(one.text).split()]
        for place, (word, end) in enumerate(ends):
            self.heard.delays.append(self._first(place, word) - self.started - end)

    def _first(self, place: int, word: str) -> float:
        """Returns when a word was told at its place, and not changed after that."""
        when = self.told[-1][0]
        for moment, words in reversed(self.told):
            if words[place:place + 1] != [word]:
                break
            when = moment
        return when


def play(form: Form, addresses: Addresses, pcm: bytes, rate: int) -> Heard:
    """Sends samples at the pace of speech, and returns what the stream told about them."""
    listener = Listener()
    for event in form(addresses, rate, listener.pieces(pcm, rate)):
        listener.event(event)
    return listener.heard


def grpc(addresses: Addresses, rate: int, pieces: Pieces) -> Iterator[pb.TranscriptionEvent]:
    """A bidirectional stream."""
    with modelgateway.Client(addresses.grpc) as client, client.stream_transcribe(
            pieces, format=audio.pcm_s16le(rate), language="en", word_timestamps=True, routing=LOCAL,
            timeout=TIMEOUT) as events:
        yield from events


def session(addresses: Addresses, rate: int, pieces: Pieces) -> Iterator[pb.TranscriptionEvent]:
    """A session over gRPC: OpenTranscription and PushAudio."""
    with modelgateway.Client(addresses.grpc) as client, client.open_transcription(
            format=audio.pcm_s16le(rate), language="en", word_timestamps=True, routing=LOCAL, timeout=TIMEOUT) as events:
        def push() -> None:
            for piece in pieces:
                events.push(piece, timeout=TIMEOUT)
            events.finish(timeout=TIMEOUT)

        with _beside(push):
            yield from events


def _config(rate: int) -> pb.TranscriptionConfig:
    return pb.TranscriptionConfig(format=audio.pcm_s16le(rate), language="en", word_timestamps=True, interim_results=True,
                                  routing={"local_only": True, "no_fallback": True})


def websocket(addresses: Addresses, rate: int, pieces: Pieces) -> Iterator[pb.TranscriptionEvent]:
    from websockets.sync.client import connect  # imported here because the tests do not need it

    with connect(f"ws://{addresses.http}/v1/transcribe/ws", open_timeout=TIMEOUT, max_size=None) as socket:
        socket.send(json_format.MessageToJson(_config(rate)))

        def push() -> None:
            for piece in pieces:
                socket.send(piece)
            socket.send(json.dumps({"end": True}))

        with _beside(push):
            for message in socket:
                yield json_format.Parse(message, pb.StreamTranscribeResponse(), ignore_unknown_fields=True).event


def grpc_web(addresses: Addresses, rate: int, pieces: Pieces) -> Iterator[pb.TranscriptionEvent]:
    """A session over gRPC-Web, as an app in a browser or on a phone has it."""
    answers = _web(addresses, "OpenTranscription", pb.OpenTranscriptionRequest(config=_config(rate)),
                   pb.OpenTranscriptionResponse)
    name = next(answers).session_id

    def push() -> None:
        last = 0
        for last, piece in enumerate(pieces, 1):
            _push(addresses, pb.PushAudioRequest(session_id=name, sequence=last - 1, audio=piece))
        _push(addresses, pb.PushAudioRequest(session_id=name, sequence=last, last=True))

    with _beside(push):
        for answer in answers:
            if answer.HasField("event"):
                yield answer.event


def _push(addresses: Addresses, request: pb.PushAudioRequest) -> None:
    list(_web(addresses, "PushAudio", request, pb.PushAudioResponse))


def _web(addresses: Addresses, method: str, request, answer) -> Iterator:
    """Calls a method over gRPC-Web and yields its answers."""
    connection = http.client.HTTPConnection(addresses.http, timeout=TIMEOUT)
    try:
        body = request.SerializeToString()
        connection.request("POST", SERVICE + method, b"\0" + struct.pack(">I", len(body)) + body,
                           {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"})
        response = connection.getresponse()
        while head := response.read(5):
            data = response.read(struct.unpack(">I", head[1:])[0])
            if head[0] & 0x80:
                status = dict(line.lower().split(":", 1) for line in data.decode().splitlines() if ":" in line)
                if status.get("grpc-status", "").strip() != "0":
                    raise Unmeasured(f"{method} over gRPC-Web failed: {data.decode().strip()}")
                return
            yield answer.FromString(data)
        raise Unmeasured(f"{method} over gRPC-Web ended without a status, HTTP {response.status}")
    finally:
        connection.close()


class _beside:
    """Runs work in a thread during a block, and raises its exception at the end of the block."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work, self.failure = work, None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.work()
        except Exception as failure:  # noqa: BLE001 # raised by __exit__
            self.failure = failure

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, kind, *_: object) -> None:
        if kind is None:
            self.thread.join()
        if self.failure:  # also the cause of a failure in the block
            raise self.failure


FORMS: dict[str, Form] = {"gRPC": grpc, "session": session, "WebSocket": websocket, "gRPC-Web": grpc_web}
