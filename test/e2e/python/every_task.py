"""A test engine that implements every task in a trivial way, to test the SDK.

The path of the model is a file. The parameter "tasks" limits the tasks of the model.
"""

import dataclasses
import struct
from collections.abc import Iterator
from typing import Any

from modelgateway import AudioUnreadable, InvalidRequest, engine
from modelgateway.v1 import chat_pb2, common_pb2, pronunciation_pb2, synthesis_pb2, transcription_pb2, tutor_pb2

USAGE = common_pb2.Usage(prompt_token_count=1, completion_token_count=1)


@dataclasses.dataclass
class Parameters:
    pause: float = 0.0
    tasks: list[str] = dataclasses.field(default_factory=list)


class EveryTask(engine.Engine):
    name, version, tasks = "every-task", "1.0.0", engine.TASKS

    def load(self, options: engine.LoadOptions) -> engine.Model:
        parameters = options.decode(Parameters)
        options.file()
        for step in range(1, 5):
            options.wait(0.01)
            options.report(step / 4)
        model = EveryModel()
        model.pause = parameters.pause
        for task in engine.TASKS if parameters.tasks else ():
            if task not in parameters.tasks:
                setattr(model, task, None)
        return model


def text_of(text: str) -> str:
    if not text:
        raise InvalidRequest("the text is empty")
    return text


class EveryModel(engine.Model):
    pause = 0.0

    def chat(self, request: chat_pb2.ChatRequest, call: engine.Call) -> Iterator[Any]:
        if not request.messages:
            raise InvalidRequest("the request has no messages")
        for _ in range(request.sampling.max_tokens or 3):
            call.wait(self.pause)
            call.count()
            yield "yes "
        yield engine.finish(prompt_tokens=1, completion_tokens=3)

    def grammar(self, request: tutor_pb2.GrammarRequest, call: engine.Call) -> tutor_pb2.GrammarResponse:
        call.count()
        return tutor_pb2.GrammarResponse(corrected_text=text_of(request.text), score=100, usage=USAGE)

    def respond(self, request: tutor_pb2.RespondRequest, call: engine.Call) -> tutor_pb2.RespondResponse:
        call.count()
        return tutor_pb2.RespondResponse(text=text_of(request.text), finish_reason=1, usage=USAGE)

    def explain_vietnamese(
        self, request: tutor_pb2.ExplainVietnameseRequest, call: engine.Call
    ) -> tutor_pb2.ExplainVietnameseResponse:
        call.count()
        explanation = f"Nghĩa là: {text_of(request.text)}"
        return tutor_pb2.ExplainVietnameseResponse(explanation=explanation, finish_reason=1, usage=USAGE)

    def transcribe(
        self, config: transcription_pb2.TranscriptionConfig, audio: Iterator[bytes], call: engine.Call
    ) -> Iterator[transcription_pb2.TranscriptionEvent]:
        total = 0
        for piece in audio:
            call.count()
            total += len(piece)
            if config.interim_results:
                interim = transcription_pb2.InterimTranscript(tentative_text=f"{total} bytes")
                yield transcription_pb2.TranscriptionEvent(interim=interim)
        if not total:
            raise AudioUnreadable("the audio is empty")
        yield transcription_pb2.TranscriptionEvent(final=transcription_pb2.Transcript(text=f"{total} bytes"))

    def synthesize(
        self, request: synthesis_pb2.SynthesizeRequest, call: engine.Call
    ) -> Iterator[synthesis_pb2.SynthesizeResponse]:
        for number, word in enumerate(text_of(request.text or request.phonemes).split()):
            call.count()
            pcm = struct.pack("<2h", number, -number)
            rate = 0 if number else 16_000
            yield synthesis_pb2.SynthesizeResponse(audio=pcm, sample_rate_hertz=rate, sentence=word)

    def pronunciation(
        self, request: pronunciation_pb2.PronunciationRequest, call: engine.Call
    ) -> pronunciation_pb2.PronunciationResponse:
        call.count()
        words = [pronunciation_pb2.PronouncedWord(text=w, score=50) for w in text_of(request.reference_text).split()]
        return pronunciation_pb2.PronunciationResponse(overall_score=50, words=words)

    def invoke(self, method: str, params: dict[str, Any], call: engine.Call) -> dict[str, Any]:
        if method == "fail":
            raise RuntimeError(f"failed with {params}")
        if method != "echo":
            raise InvalidRequest(f"unknown method {method!r}")
        return params


if __name__ == "__main__":
    engine.serve(EveryTask())
