"""The interface between an engine and the SDK."""

from __future__ import annotations

import dataclasses
import difflib
import os
import pathlib
import threading
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelgateway.v1 import chat_pb2, common_pb2

from ..errors import Cancelled, Draining, InvalidRequest, ModelFileMissing

Parameters = TypeVar("Parameters")

#: The tasks; these are also the names of a model's methods.
TASKS = (
    "chat",
    "grammar",
    "respond",
    "explain_vietnamese",
    "transcribe",
    "synthesize",
    "pronunciation",
    "invoke",
)


class Call:
    """A load or a run in progress. Its work must stop within 100 ms after it was cancelled."""

    def __init__(self, stopping: threading.Event, counted: Callable[[int], None]) -> None:
        self._stopping = stopping
        self._counted = counted
        self._ended = threading.Event()

    @property
    def cancelled(self) -> bool:
        """True if the call was cancelled or the process is exiting."""
        return self._ended.is_set() or self._stopping.is_set()

    def check(self) -> None:
        """Raises an exception if the call was cancelled. Call it at least ten times a second."""
        if self._ended.is_set():
            raise Cancelled("the call was cancelled")
        if self._stopping.is_set():
            raise Draining("the engine is stopping")

    def count(self, units: int = 1) -> None:
        """Counts work that was done: tokens, windows, sentences. A worker that is busy but counts nothing for the
        model's progress_timeout is considered hung and is killed."""
        self._counted(units)

    def wait(self, seconds: float) -> None:
        """Sleeps. Raises as check does, as soon as the call is cancelled."""
        self._ended.wait(seconds)
        self.check()

    def _end(self) -> None:
        self._ended.set()


class LoadOptions(Call):
    """The model to load, and how."""

    def __init__(
        self,
        stopping: threading.Event,
        counted: Callable[[int], None],
        report: Callable[[float], None],
        *,
        model_name: str,
        path: str,
        device: str,
        threads: int,
        max_concurrency: int,
        parameters: Mapping[str, Any],
    ) -> None:
        super().__init__(stopping, counted)
        self._report = report
        #: Name of the model in the configuration, for messages.
        self.model_name = model_name
        #: File or folder of the model.
        self.path = pathlib.Path(path)
        #: "auto" or one of the engine's devices.
        self.device = device
        #: Number of inference threads to use; the server distributes the cores.
        self.threads = threads
        #: Maximum number of concurrent runs.
        self.max_concurrency = max_concurrency
        #: The model's `parameters` in the configuration.
        self.parameters = parameters

    def file(self) -> pathlib.Path:
        """Returns the path if it exists, or else raises ModelFileMissing."""
        if not os.path.lexists(self.path):
            raise ModelFileMissing(f"the file of model {self.model_name!r} does not exist")
        return self.path

    def report(self, fraction: float) -> None:
        """Reports the progress of the load, 0 to 1, and counts as work. It may be called often."""
        self.check()
        self._report(fraction)

    def decode(self, into: type[Parameters]) -> Parameters:
        """Converts the parameters to a dataclass; missing ones keep their defaults.

        Raises InvalidRequest for an unknown key, with the nearest known one, and
        for a value of the wrong type. Fields are bool, int, float, str, list or
        dict.
        """
        hints = typing.get_type_hints(into)
        names = [field.name for field in dataclasses.fields(into)]  # type: ignore[arg-type]
        values = {}
        for key, value in self.parameters.items():
            if key not in names:
                near = difflib.get_close_matches(key, names, 1)
                advice = f"did you mean {near[0]!r}?" if near else f"known parameters: {', '.join(names) or 'none'}"
                raise InvalidRequest(f"unknown parameter {key!r}; {advice}", metadata={"parameter": key})
            values[key] = _typed(key, value, hints[key])
        return into(**values)


def _typed(key: str, value: Any, wanted: Any) -> Any:
    wanted = typing.get_origin(wanted) or wanted
    if wanted is float and type(value) is int:
        return float(value)
    if isinstance(wanted, type) and type(value) is not wanted:
        message = f"parameter {key!r} must be {wanted.__name__}, not {type(value).__name__}"
        raise InvalidRequest(message, metadata={"parameter": key})
    return value


class Model:
    """A loaded model. It has a method for each task that it supports. Methods may be called from several threads.

    chat(request: ChatRequest, call) yields str, and finally StreamChatResponse or finish().
    grammar(request: GrammarRequest, call) returns GrammarResponse.
    respond(request: RespondRequest, call) returns RespondResponse.
    explain_vietnamese(request: ExplainVietnameseRequest, call) returns ExplainVietnameseResponse.
    transcribe(config: TranscriptionConfig, audio: Iterator[bytes], call) yields TranscriptionEvent, finally final.
        With config.resume_from, the audio up to its committed_time is to be left out, and times count from there.
    synthesize(request: SynthesizeRequest, call) yields SynthesizeResponse; the first one has the sample rate.
    pronunciation(request: PronunciationRequest, call) returns PronunciationResponse.
    invoke(method: str, params: dict, call) returns a dict.

    Raise this package's exceptions for failures, e.g. modelgateway.InvalidRequest;
    all others are reported as INTERNAL. Never log what users say.
    """

    #: What was loaded, for an operator.
    description = "a model in Python"

    def close(self) -> None:  # noqa: B027  most models have nothing to close
        """Called at the end. Frees what the end of the process does not free."""


class Engine:
    """Loads models. serve runs an engine as a worker process."""

    #: Name of the engine, e.g. "ngram".
    name: str
    #: Version of the engine.
    version: str
    #: The tasks that its models support, from TASKS.
    tasks: Sequence[str]
    #: Devices that the engine can use; other devices are refused before load is called.
    devices: Sequence[str] = ("cpu",)
    #: Libraries and their versions.
    libraries: Mapping[str, str] = {}

    def load(self, options: LoadOptions) -> Model:
        """Loads the model. Called once."""
        raise NotImplementedError


def finish(*, prompt_tokens: int, completion_tokens: int, cut: bool = False) -> chat_pb2.StreamChatResponse:
    """Returns the last piece of a chat answer, with finish reason and usage. cut: the answer reached max_tokens."""
    return chat_pb2.StreamChatResponse(
        finish_reason=common_pb2.FINISH_REASON_LENGTH if cut else common_pb2.FINISH_REASON_STOP,
        usage=common_pb2.Usage(prompt_token_count=prompt_tokens, completion_token_count=completion_tokens),
    )
