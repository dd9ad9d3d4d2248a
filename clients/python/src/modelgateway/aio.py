"""The asyncio client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc
from grpc import aio

from modelgateway.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    chat_pb2,
    model_pb2,
    pronunciation_pb2,
    service_pb2_grpc,
    status_pb2,
    task_pb2,
    transcription_pb2,
    tutor_pb2,
)

from . import _async, _calls, _requests
from . import audio as audio_module
from ._async import (
    AsyncAudioSource,
    AsyncCaller,
    AsyncChatStream,
    AsyncFeed,
    AsyncSpeechStream,
    AsyncTranscriptionStream,
)
from ._async_open import AsyncOpenTranscription
from ._calls import Retry
from ._requests import Conversation, Priority, Routing, Sampling, Turn
from ._results import TaskResult, speech_request


class AsyncClient:
    """A connection to a server for asyncio; it belongs to the event loop that it was made in.

    Its methods are Client's. Cancelling a task cancels its call on the server.

    Each method takes a timeout in seconds for the call with its retries: None
    is the client's default, math.inf is no deadline. Failures raise subclasses
    of ModelGatewayError. Options beyond the named ones (model, routing) are
    fields of the request's message, which documents them.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float = _calls.INFERENCE_TIMEOUT,
        tls: bool | grpc.ChannelCredentials = False,
        api_key: str | None = None,
        metadata: Sequence[tuple[str, str]] = (),
        retry: Retry = Retry(),
    ) -> None:
        """Makes a client of the server at "host:port" or "unix:/path"; nothing is sent before the first call.

        address: None is $MODELGATEWAY_ADDR, else 127.0.0.1:50051.
        timeout: seconds that an inference may take, the model's load included.
        tls: True, or credentials, where a proxy in front of the server speaks TLS.
        api_key: sent as "authorization: Bearer …", for such a proxy.
        """
        self.address = _calls.resolve_address(address)
        self._timeout = timeout
        credentials = _calls.channel_credentials(tls)
        options = _calls.channel_options()
        self._channel = (
            aio.secure_channel(self.address, credentials, options)
            if credentials
            else aio.insecure_channel(self.address, options)
        )
        self._caller = AsyncCaller(retry, _calls.call_metadata(api_key, metadata))
        #: The generated stubs, for what has no method here.
        self.models = service_pb2_grpc.ModelGatewayServiceStub(self._channel)
        self.admin = admin_pb2_grpc.ModelAdminServiceStub(self._channel)

    async def aclose(self) -> None:
        """Ends the connection and the calls on it."""
        await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ask(self, method: Any, request: Any, timeout: float | None, default: float | None = None) -> Any:
        limit = timeout if timeout is not None else default if default is not None else self._timeout
        return await self._caller.unary(method, lambda: request, limit)

    def _follow(self, method: Any, request: Any, timeout: float | None) -> AsyncGenerator[Any, None]:
        return self._caller.stream(method, lambda: request, self._timeout if timeout is None else timeout)

    # Language

    async def chat(
        self,
        messages: Conversation,
        *,
        system_prompt: str = "",
        sampling: Sampling | None = None,
        thinking: bool = False,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> chat_pb2.ChatResponse:
        """Continues a conversation and returns the whole answer: its text is .message.content."""
        request = chat_pb2.ChatRequest(
            messages=_requests.conversation(messages, system_prompt),
            sampling=_requests.sampling(sampling),
            thinking=thinking,
            model=model,
            routing=_requests.routing(routing),
        )
        answer: chat_pb2.ChatResponse = await self._ask(self.models.Chat, request, timeout)
        return answer

    def stream_chat(
        self,
        messages: Conversation,
        *,
        system_prompt: str = "",
        sampling: Sampling | None = None,
        thinking: bool = False,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> AsyncChatStream:
        """Continues a conversation; iterate over the answer's pieces of text as they are made."""
        request = chat_pb2.StreamChatRequest(
            messages=_requests.conversation(messages, system_prompt),
            sampling=_requests.sampling(sampling),
            thinking=thinking,
            model=model,
            routing=_requests.routing(routing),
        )
        return AsyncChatStream(self._follow(self.models.StreamChat, request, timeout))

    async def grammar(
        self,
        text: str,
        *,
        explanation_language: str = "en",
        sampling: Sampling | None = None,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> tutor_pb2.GrammarResponse:
        """Corrects English text; explanations are in "en" or "vi"."""
        request = tutor_pb2.GrammarRequest(
            text=text,
            explanation_language=_requests.explanation_language(explanation_language),
            sampling=_requests.sampling(sampling),
            model=model,
            routing=_requests.routing(routing),
        )
        answer: tutor_pb2.GrammarResponse = await self._ask(self.models.Grammar, request, timeout)
        return answer

    async def respond(
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
        """Answers a learner as their tutor, at a CEFR level such as "A2"."""
        request = tutor_pb2.RespondRequest(
            text=text,
            history=[_requests.turn(t) for t in history],
            level=level,
            system_prompt=system_prompt,
            sampling=_requests.sampling(sampling),
            model=model,
            routing=_requests.routing(routing),
        )
        answer: tutor_pb2.RespondResponse = await self._ask(self.models.Respond, request, timeout)
        return answer

    async def explain_vietnamese(
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
        answer: tutor_pb2.ExplainVietnameseResponse = await self._ask(self.models.ExplainVietnamese, request, timeout)
        return answer

    # Speech

    async def transcribe(
        self, audio: AsyncAudioSource, *, routing: Routing | None = None, timeout: float | None = None, **config: Any
    ) -> transcription_pb2.TranscribeResponse:
        """Turns speech into text: bytes, a file's path, an open file, or pieces as they come.

        config: fields of TranscriptionConfig (format, language, translate,
        initial_prompt, word_timestamps, beam_size, model). Raw PCM needs
        format=audio.pcm_s16le(rate).
        """
        settings = _requests.transcription_config(routing=_requests.routing(routing), **config)
        feeds: list[AsyncFeed] = []

        def requests() -> AsyncFeed:
            feeds.append(AsyncFeed(_transcribe_requests(transcription_pb2.TranscribeRequest, settings, audio)))
            return feeds[-1]

        try:
            answer: transcription_pb2.TranscribeResponse = await self._caller.unary(
                self.models.Transcribe,
                requests,
                self._timeout if timeout is None else timeout,
                retry=audio_module.replayable(audio),
            )
        except BaseException as error:  # gRPC cancels the call of a source that failed
            if feeds and feeds[-1].failure is not None:
                raise feeds[-1].failure from error
            raise
        return answer

    def stream_transcribe(
        self,
        audio: AsyncAudioSource,
        *,
        interim_results: bool = True,
        routing: Routing | None = None,
        timeout: float | None = None,
        **config: Any,
    ) -> AsyncTranscriptionStream:
        """Turns speech into text while it is spoken; audio is usually a generator that reads a microphone.

        Iterate over the events. The source is read in a thread of gRPC's; its
        end asks for the final result. config is as transcribe's.
        """
        settings = _requests.transcription_config(
            interim_results=interim_results, routing=_requests.routing(routing), **config
        )
        feed = AsyncFeed(_transcribe_requests(transcription_pb2.StreamTranscribeRequest, settings, audio))
        messages = self._caller.stream(
            self.models.StreamTranscribe,
            lambda: feed,
            self._timeout if timeout is None else timeout,
            retry=False,
        )
        return AsyncTranscriptionStream(_async.fed(messages, feed))

    def open_transcription(
        self,
        *,
        interim_results: bool = True,
        routing: Routing | None = None,
        timeout: float | None = None,
        **config: Any,
    ) -> AsyncOpenTranscription:
        """Opens a transcription that is fed by push(); its stream is taken up again if it breaks."""
        settings = _requests.transcription_config(
            interim_results=interim_results, routing=_requests.routing(routing), **config
        )
        return AsyncOpenTranscription(
            self._caller, self.models, settings, self._timeout if timeout is None else timeout
        )

    async def recognize(
        self, audio: AsyncAudioSource, *, routing: Routing | None = None, timeout: float | None = None, **config: Any
    ) -> transcription_pb2.RecognizeResponse:
        """Turns a clip of at most 64 MiB into text, in one message. config is as transcribe's."""
        settings = _requests.transcription_config(routing=_requests.routing(routing), **config)
        request = transcription_pb2.RecognizeRequest(config=settings, audio=await _async.whole(audio))
        answer: transcription_pb2.RecognizeResponse = await self._ask(self.models.Recognize, request, timeout)
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
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> AsyncSpeechStream:
        """Speaks a text; iterate over PCM as it is made, or take .wav(). sentence_silence is in seconds."""
        request = speech_request(
            text,
            phonemes=phonemes,
            speaker=speaker,
            speed=speed,
            volume=volume,
            noise_scale=noise_scale,
            noise_w=noise_w,
            sentence_silence=sentence_silence,
            model=model,
            routing=_requests.routing(routing),
        )
        return AsyncSpeechStream(self._follow(self.models.Synthesize, request, timeout))

    async def pronunciation(
        self,
        audio: AsyncAudioSource,
        reference_text: str,
        *,
        format: transcription_pb2.AudioFormat | None = None,
        model: str = "",
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> pronunciation_pb2.PronunciationResponse:
        """Scores how well a text was read aloud, in a clip of at most 64 MiB."""
        request = pronunciation_pb2.PronunciationRequest(
            format=format,
            audio=await _async.whole(audio),
            reference_text=reference_text,
            model=model,
            routing=_requests.routing(routing),
        )
        answer: pronunciation_pb2.PronunciationResponse = await self._ask(self.models.Pronunciation, request, timeout)
        return answer

    # Loosely typed calls

    async def execute_task(
        self,
        task_type: str,
        params: Mapping[str, Any],
        *,
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> TaskResult:
        """Runs a task by its name in the original gateway; bytes in params are sent as base64."""
        request = task_pb2.ExecuteTaskRequest(
            task_type=task_type, params=_requests.to_struct(params), routing=_requests.routing(routing)
        )
        answer: task_pb2.ExecuteTaskResponse = await self._ask(self.models.ExecuteTask, request, timeout)
        return TaskResult(_requests.from_struct(answer.data), answer.served_by)

    async def invoke(
        self,
        model_name: str,
        method: str,
        params: Mapping[str, Any],
        *,
        routing: Routing | None = None,
        timeout: float | None = None,
    ) -> TaskResult:
        """Calls a method of one model by name; bytes in params are sent as base64."""
        request = task_pb2.InvokeRequest(
            model_name=model_name,
            method=method,
            params=_requests.to_struct(params),
            routing=_requests.routing(routing),
        )
        answer: task_pb2.InvokeResponse = await self._ask(self.models.Invoke, request, timeout)
        return TaskResult(_requests.from_struct(answer.data), answer.served_by)

    # The server and its models

    async def status(self, *, timeout: float | None = None) -> status_pb2.StatusResponse:
        """Tells how the server and its models are."""
        answer: status_pb2.StatusResponse = await self._ask(
            self.models.Status, status_pb2.StatusRequest(), timeout, _calls.ADMIN_TIMEOUT
        )
        return answer

    async def list_models(self, *, timeout: float | None = None) -> list[model_pb2.Model]:
        """Returns every model, in the order of the configuration."""
        answer = await self._ask(self.admin.ListModels, admin_pb2.ListModelsRequest(), timeout, _calls.ADMIN_TIMEOUT)
        return list(answer.models)

    async def get_model(self, name: str, *, timeout: float | None = None) -> model_pb2.Model:
        """Returns everything known about one model."""
        answer = await self._ask(
            self.admin.GetModel, admin_pb2.GetModelRequest(name=name), timeout, _calls.ADMIN_TIMEOUT
        )
        model: model_pb2.Model = answer.model
        return model

    async def load_model(
        self,
        name: str,
        *,
        pin: bool = False,
        priority: Priority | None = None,
        progress: Callable[[admin_pb2.LoadModelResponse], None] | None = None,
        timeout: float | None = None,
    ) -> model_pb2.Model:
        """Loads a model ahead of its first request and returns it; progress is told how far it is.

        pin keeps it loaded until unload_model.
        """
        request = admin_pb2.LoadModelRequest(name=name, pin=pin, priority=_requests.priority(priority))
        last = admin_pb2.LoadModelResponse()
        limit = _calls.LOAD_TIMEOUT if timeout is None else timeout
        async for last in self._follow(self.admin.LoadModel, request, limit):
            if progress is not None:
                progress(last)
        return last.model

    async def unload_model(self, name: str, *, timeout: float | None = None) -> admin_pb2.UnloadModelResponse:
        """Unpins and unloads a model after its last request."""
        request = admin_pb2.UnloadModelRequest(name=name)
        answer: admin_pb2.UnloadModelResponse = await self._ask(self.admin.UnloadModel, request, timeout)
        return answer

    async def plan_load(
        self, name: str, *, priority: Priority | None = None, timeout: float | None = None
    ) -> admin_pb2.PlanLoadResponse:
        """Tells whether a model would fit now, and who would go for it. Changes nothing."""
        request = admin_pb2.PlanLoadRequest(name=name, priority=_requests.priority(priority))
        answer: admin_pb2.PlanLoadResponse = await self._ask(
            self.admin.PlanLoad, request, timeout, _calls.ADMIN_TIMEOUT
        )
        return answer

    def watch_models(
        self, name: str = "", *, timeout: float = float("inf")
    ) -> AsyncGenerator[admin_pb2.WatchModelsResponse, None]:
        """Yields what happens to the models, their present states first, until it is closed."""
        return self._follow(self.admin.WatchModels, admin_pb2.WatchModelsRequest(name=name), timeout)


async def _transcribe_requests(
    kind: Callable[..., Any], config: transcription_pb2.TranscriptionConfig, audio: AsyncAudioSource
) -> AsyncIterator[Any]:
    yield kind(config=config)
    async for piece in _async.pieces(audio):
        yield kind(audio=piece)
