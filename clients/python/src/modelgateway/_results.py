"""Results of streams, shared by the blocking client and the asyncio client."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from modelgateway.v1 import chat_pb2, common_pb2, synthesis_pb2, transcription_pb2

from .audio import Wav


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """The result of execute_task and invoke."""

    #: The result as Python types; bytes are base64.
    data: dict[str, Any]
    #: Which model answered.
    served_by: common_pb2.ServedBy


class ChatState:
    """A chat answer, as far as it was received."""

    def __init__(self) -> None:
        self._deltas: list[str] = []
        #: The model's thoughts, as far as they were received.
        self.reasoning = ""
        #: The model's calls of tools, as far as they were received.
        self.tool_calls: list[chat_pb2.ToolCall] = []
        #: Why the model stopped; unspecified until the end.
        self.finish_reason: common_pb2.FinishReason = common_pb2.FINISH_REASON_UNSPECIFIED
        #: Number of tokens read and generated; None until the end.
        self.usage: common_pb2.Usage | None = None
        #: Which model answered; None until the end.
        self.served_by: common_pb2.ServedBy | None = None

    @property
    def text(self) -> str:
        """The text received so far."""
        return "".join(self._deltas)

    def _take(self, piece: chat_pb2.StreamChatResponse) -> str:
        if piece.finish_reason and not piece.answer_index:
            self.finish_reason = piece.finish_reason
        if piece.HasField("usage"):
            self.usage = piece.usage
        if piece.HasField("served_by"):
            self.served_by = piece.served_by
        if piece.answer_index:
            return ""  # a further answer
        self.reasoning += piece.reasoning_delta
        for call in piece.tool_call_deltas:
            if call.index == len(self.tool_calls):
                self.tool_calls.append(chat_pb2.ToolCall(id=call.id, name=call.name))
            self.tool_calls[call.index].arguments += call.arguments_delta
        if piece.delta:
            self._deltas.append(piece.delta)
        return piece.delta


class SpeechState:
    """Speech, as far as it was received: signed 16-bit little-endian samples, mono."""

    def __init__(self) -> None:
        #: Sample rate in hertz; 0 until the first piece was received.
        self.sample_rate = 0
        #: The sentences that have started.
        self.sentences: list[str] = []
        #: Words with their times, if the voice gives them or they are aligned.
        self.words: list[synthesis_pb2.SpokenWord] = []
        #: Which model answered; None until the end.
        self.served_by: common_pb2.ServedBy | None = None

    def _take(self, piece: synthesis_pb2.SynthesizeResponse) -> bytes:
        if piece.sample_rate_hertz:
            self.sample_rate = piece.sample_rate_hertz
        if piece.sentence:
            self.sentences.append(piece.sentence)
        self.words.extend(piece.words)
        if piece.HasField("served_by"):
            self.served_by = piece.served_by
        return piece.audio

    def _wav(self, pcm: bytes) -> Wav:
        return Wav(pcm, self.sample_rate)


class TranscriptionState:
    """A transcription, as far as it was received."""

    def __init__(self) -> None:
        #: Text of the final segments so far; the whole text at the end.
        self.text = ""
        #: The complete transcript; None until the end.
        self.transcript: transcription_pb2.Transcript | None = None
        #: Which model answered; None until the end.
        self.served_by: common_pb2.ServedBy | None = None

    def _event(self, event: transcription_pb2.TranscriptionEvent) -> None:
        if event.HasField("segment"):
            self.text = f"{self.text} {event.segment.text.strip()}".strip()
        elif event.HasField("final"):
            self.transcript = event.final
            self.text = event.final.text


def speech_request(
    text: str,
    *,
    phonemes: str,
    speaker: str,
    speed: float | None,
    volume: float | None,
    noise_scale: float | None,
    noise_w: float | None,
    sentence_silence: float | None,
    align_words: bool,
    model: str,
    routing: common_pb2.Routing | None,
) -> synthesis_pb2.SynthesizeRequest:
    """Makes a SynthesizeRequest from phonemes if there are any, or else from text."""
    request = synthesis_pb2.SynthesizeRequest(
        speaker=speaker,
        speed=speed,
        volume=volume,
        noise_scale=noise_scale,
        noise_w=noise_w,
        align_words=align_words,
        model=model,
        routing=routing,
    )
    if phonemes:
        request.phonemes = phonemes
    else:
        request.text = text
    if sentence_silence is not None:
        request.sentence_silence.FromTimedelta(datetime.timedelta(seconds=sentence_silence))
    return request
