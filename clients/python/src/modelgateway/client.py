"""The blocking client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from modelgateway.v1 import (
    chat_pb2,
    pronunciation_pb2,
    task_pb2,
    transcription_pb2,
    tutor_pb2,
)

from . import _calls, _requests
from . import audio as audio_module
from ._connection import Connection
from ._open import OpenTranscription
from ._requests import Conversation, Routing, Sampling, Schema, Tool, Turn
from ._results import TaskResult, speech_request
from ._sync import ChatStream, Feed, SpeechStream, TranscriptionStream, fed
from .audio import AudioSource


class Client(Connection):
    """A client for a server. It may be used by several threads.

    timeout is in seconds and includes retries; None is the client's default,
    math.inf is no timeout. Failures raise subclasses of ModelGatewayError. The
    other arguments are fields of the request messages, which document them.
    """

    # Language

    def chat(
        self,
        messages: Conversation,
        *,
        system_prompt: str = "",
        sampling: Sampling | None = None,
        thinking: bool = False,
        response_schema: Schema | None = None,
        tools: Sequence[Tool] = (),
        tool_choice: str = "",
        logprobs: int | None = None,
        n: int = 0,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> chat_pb2.ChatResponse:
        """Continues a conversation and returns the whole answer; its text is in message.content.

        response_schema is a JSON Schema that the answer is valid for. tool_choice is "auto",
        "none", "required" or the name of a tool. logprobs is how many of the most likely
        tokens to return for each token, n the number of answers.
        """
        request = chat_pb2.ChatRequest(
            messages=_requests.conversation(messages, system_prompt),
            sampling=_requests.sampling(sampling),
            thinking=thinking,
            model=model,
            routing=_requests.routing(routing),
            **_requests.chat_options(
                response_schema=response_schema, tools=tools, tool_choice=tool_choice, logprobs=logprobs, n=n
            ),
        )
        answer: chat_pb2.ChatResponse = self._ask(self.models.Chat, request, timeout)
        return answer

    def stream_chat(
        self,
        messages: Conversation,
        *,
        system_prompt: str = "",
        sampling: Sampling | None = None,
        thinking: bool = False,
        response_schema: Schema | None = None,
        tools: Sequence[Tool] = (),
        tool_choice: str = "",
        logprobs: int | None = None,
        n: int = 0,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> ChatStream:
        """Continues a conversation. Iterate over the result to get the pieces of the answer."""
        request = chat_pb2.StreamChatRequest(
            messages=_requests.conversation(messages, system_prompt),
            sampling=_requests.sampling(sampling),
            thinking=thinking,
            model=model,
            routing=_requests.routing(routing),
            **_requests.chat_options(
                response_schema=response_schema, tools=tools, tool_choice=tool_choice, logprobs=logprobs, n=n
            ),
        )
        return ChatStream(self._follow(self.models.StreamChat, request, timeout))

    def grammar(
        self,
        text: str,
        *,
        explanation_language: str = "en",
        sampling: Sampling | None = None,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> tutor_pb2.GrammarResponse:
        """Corrects English text. explanation_language is "en" or "vi"."""
        request = tutor_pb2.GrammarRequest(
            text=text,
            explanation_language=_requests.explanation_language(explanation_language),
            sampling=_requests.sampling(sampling),
            model=model,
            routing=_requests.routing(routing),
        )
        answer: tutor_pb2.GrammarResponse = self._ask(self.models.Grammar, request, timeout)
        return answer

    def respond(
        self,
        text: str,
        *,
        history: Sequence[Turn] = (),
        level: str = "",
        system_prompt: str = "",
        sampling: Sampling | None = None,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> tutor_pb2.RespondResponse:
        """Answers a learner as a tutor. level is a CEFR level such as "A2"."""
        request = tutor_pb2.RespondRequest(
            text=text,
            history=[_requests.turn(t) for t in history],
            level=level,
            system_prompt=system_prompt,
            sampling=_requests.sampling(sampling),
            model=model,
            routing=_requests.routing(routing),
        )
        answer: tutor_pb2.RespondResponse = self._ask(self.models.Respond, request, timeout)
        return answer

    def explain_vietnamese(
        self,
        text: str,
        *,
        question: str = "",
        sampling: Sampling | None = None,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> tutor_pb2.ExplainVietnameseResponse:
        """Explains English in Vietnamese."""
        request = tutor_pb2.ExplainVietnameseRequest(
            text=text,
            question=question,
            sampling=_requests.sampling(sampling),
            model=model,
            routing=_requests.routing(routing),
        )
        answer: tutor_pb2.ExplainVietnameseResponse = self._ask(self.models.ExplainVietnamese, request, timeout)
        return answer

    # Speech

    def transcribe(
        self, audio: AudioSource, *, routing: Routing | None = None, timeout: float | None = None, **config: Any
    ) -> transcription_pb2.TranscribeResponse:
        """Transcribes speech. audio is bytes, the path of a file, an open file, or an iterator of bytes.

        config are fields of TranscriptionConfig (format, language, translate,
        initial_prompt, word_timestamps, beam_size, model). Raw PCM needs
        format=audio.pcm_s16le(rate).
        """
        settings = _requests.transcription_config(routing=_requests.routing(routing), **config)
        feeds: list[Feed] = []

        def requests() -> Feed:
            feeds.append(Feed(_transcribe_requests(transcription_pb2.TranscribeRequest, settings, audio)))
            return feeds[-1]

        try:
            answer: transcription_pb2.TranscribeResponse = self._caller.unary(
                self.models.Transcribe,
                requests,
                self._timeout if timeout is None else timeout,
                config=settings,
                retry=audio_module.replayable(audio),
            )
        except Exception as error:
            if feeds and feeds[-1].failure is not None:
                raise feeds[-1].failure from error
            raise
        return answer

    def stream_transcribe(
        self,
        audio: AudioSource,
        *,
        interim_results: bool = True,
        routing: Routing | None = None,
        timeout: float | None = None,
        **config: Any,
    ) -> TranscriptionStream:
        """Transcribes speech while it is spoken. audio is usually a generator that reads a microphone.

        Iterate over the result to get the events. The audio is read in another
        thread; when it ends, the server sends the final result. The default
        timeout is one hour. config is as for transcribe.
        """
        settings = _requests.transcription_config(
            interim_results=interim_results, routing=_requests.routing(routing), **config
        )
        feed = Feed(_transcribe_requests(transcription_pb2.StreamTranscribeRequest, settings, audio))
        messages = self._caller.stream(
            self.models.StreamTranscribe,
            lambda: feed,
            _calls.LIVE_TIMEOUT if timeout is None else timeout,
            config=settings,
            retry=False,
        )
        return TranscriptionStream(fed(messages, feed))

    def open_transcription(
        self,
        *,
        interim_results: bool = True,
        routing: Routing | None = None,
        timeout: float | None = None,
        **config: Any,
    ) -> OpenTranscription:
        """Opens a transcription session, which survives broken connections and lost servers. Send audio with push()."""
        settings = _requests.transcription_config(
            interim_results=interim_results, routing=_requests.routing(routing), **config
        )
        return OpenTranscription(
            self._caller, self.models, settings, _calls.LIVE_TIMEOUT if timeout is None else timeout
        )

    def recognize(
        self, audio: AudioSource, *, routing: Routing | None = None, timeout: float | None = None, **config: Any
    ) -> transcription_pb2.RecognizeResponse:
        """Transcribes a recording of at most 64 MiB, sent in one message. config is as for transcribe."""
        settings = _requests.transcription_config(routing=_requests.routing(routing), **config)
        request = transcription_pb2.RecognizeRequest(config=settings, audio=audio_module.whole(audio))
        answer: transcription_pb2.RecognizeResponse = self._ask(self.models.Recognize, request, timeout)
        return answer

    def synthesize(
        self,
        text: str = "",
        *,
        phonemes: str = "",
        speaker: str = "",
        speed: float | None = None,
        volume: float | None = None,
        noise_scale: float | None = None,
        noise_w: float | None = None,
        sentence_silence: float | None = None,
        align_words: bool = False,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> SpeechStream:
        """Turns text into speech. Iterate over the result to get samples, or use wav() or save().

        sentence_silence is in seconds. align_words finds the times of words if the voice gives none.
        """
        request = speech_request(
            text,
            phonemes=phonemes,
            speaker=speaker,
            speed=speed,
            volume=volume,
            noise_scale=noise_scale,
            noise_w=noise_w,
            sentence_silence=sentence_silence,
            align_words=align_words,
            model=model,
            routing=_requests.routing(routing),
        )
        return SpeechStream(
            self._follow(self.models.Synthesize, request, _calls.LIVE_TIMEOUT if timeout is None else timeout)
        )

    def pronunciation(
        self,
        audio: AudioSource,
        reference_text: str,
        *,
        format: transcription_pb2.AudioFormat | None = None,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> pronunciation_pb2.PronunciationResponse:
        """Scores how well a text was read aloud, in a recording of at most 64 MiB."""
        request = pronunciation_pb2.PronunciationRequest(
            format=format,
            audio=audio_module.whole(audio),
            reference_text=reference_text,
            model=model,
            routing=_requests.routing(routing),
        )
        answer: pronunciation_pb2.PronunciationResponse = self._ask(self.models.Pronunciation, request, timeout)
        return answer

    # Calls with untyped parameters

    def execute_task(
        self,
        task_type: str,
        params: Mapping[str, Any],
        *,
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> TaskResult:
        """Runs a task by its name; bytes in params are sent as base64."""
        request = task_pb2.ExecuteTaskRequest(
            task_type=task_type, params=_requests.to_struct(params), routing=_requests.routing(routing)
        )
        answer: task_pb2.ExecuteTaskResponse = self._ask(self.models.ExecuteTask, request, timeout)
        return TaskResult(_requests.from_struct(answer.data), answer.served_by)

    def invoke(
        self,
        model_name: str,
        method: str,
        params: Mapping[str, Any],
        *,
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> TaskResult:
        """Calls a method of one model by its name; bytes in params are sent as base64."""
        request = task_pb2.InvokeRequest(
            model_name=model_name,
            method=method,
            params=_requests.to_struct(params),
            routing=_requests.routing(routing),
        )
        answer: task_pb2.InvokeResponse = self._ask(self.models.Invoke, request, timeout)
        return TaskResult(_requests.from_struct(answer.data), answer.served_by)


def _transcribe_requests(
    kind: Callable[..., Any], config: transcription_pb2.TranscriptionConfig, audio: Iterable[bytes] | AudioSource
) -> Iterator[Any]:
    yield kind(config=config)
    for piece in audio_module.pieces(audio):
        yield kind(audio=piece)
