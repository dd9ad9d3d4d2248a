"""What an engine implements, and what it is given."""

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

#: Tasks by the names of a model's methods.
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
    """A load or a run under way. Its work must stop within 100 ms of its cancellation."""

    def __init__(self, stopping: threading.Event, counted: Callable[[int], None]) -> None:
        self._stopping = stopping
        self._counted = counted
        self._ended = threading.Event()

    @property
    def cancelled(self) -> bool:
        """True once nobody waits for the result any more."""
        return self._ended.is_set() or self._stopping.is_set()

    def check(self) -> None:
        """Raises what ends the call if it was cancelled; call it often, at least ten times a second."""
        if self._ended.is_set():
            raise Cancelled("the call was cancelled")
        if self._stopping.is_set():
            raise Draining("the engine is stopping")

    def count(self, units: int = 1) -> None:
        """Counts work that is done: tokens, windows, sentences. A worker that is busy but counts nothing for the
        gateway's progress_timeout is taken for hung and ended."""
        self._counted(units)

    def wait(self, seconds: float) -> None:
        """Sleeps; raises as check does as soon as the call is cancelled."""
        self._ended.wait(seconds)
        self.check()

    def _end(self) -> None:
        self._ended.set()


class LoadOptions(Call):
    """What to load and how."""

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
        #: The model's name in the configuration, for messages.
        self.model_name = model_name
        #: The model's file or folder.
        self.path = pathlib.Path(path)
        #: "auto" or one of the engine's devices.
        self.device = device
        #: Inference threads; the gateway shares out the cores.
        self.threads = threads
        #: The most runs at once.
        self.max_concurrency = max_concurrency
        #: The model's `parameters` in the configuration.
        self.parameters = parameters

    def file(self) -> pathlib.Path:
        """Returns the path if something is there, else raises ModelFileMissing."""
        if not os.path.lexists(self.path):
            raise ModelFileMissing(f"the file of model {self.model_name!r} does not exist")
        return self.path

    def report(self, fraction: float) -> None:
        """Tells how far the load is, 0 to 1, and counts as work. It may be called often."""
        self.check()
        self._report(fraction)

    def decode(self, into: type[Parameters]) -> Parameters:
        """Makes a dataclass of the parameters; its defaults hold for those that are not given.

        Raises InvalidRequest for a key that it does not have, naming the
        nearest one, and for a value of the wrong type. Fields are bool, int,
        float, str, list or dict.
        """
        hints = typing.get_type_hints(into)
        names = [field.name for field in dataclasses.fields(into)]  # type: ignore[arg-type]
        values = {}
        for key, value in self.parameters.items():
            if key not in names:
                near = difflib.get_close_matches(key, names, 1)
                advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
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
    """A loaded model. It has a method for each task that it does; all may be called from several threads.

    chat(request: ChatRequest, call) yields str, and StreamChatResponse or finish() last.
    grammar(request: GrammarRequest, call) returns GrammarResponse.
    respond(request: RespondRequest, call) returns RespondResponse.
    explain_vietnamese(request: ExplainVietnameseRequest, call) returns ExplainVietnameseResponse.
    transcribe(config: TranscriptionConfig, audio: Iterator[bytes], call) yields TranscriptionEvent, the final last.
    synthesize(request: SynthesizeRequest, call) yields SynthesizeResponse, the sample rate in the first.
    pronunciation(request: PronunciationRequest, call) returns PronunciationResponse.
    invoke(method: str, params: dict, call) returns a dict.

    Failures are raised as this package's errors, e.g. modelgateway.InvalidRequest;
    anything else is reported as INTERNAL. Never log what users say.
    """

    #: What was loaded, for people.
    description = "a model in Python"

    def close(self) -> None:  # noqa: B027  most models have nothing to close
        """Frees what the end of the process does not."""


class Engine:
    """Makes models; serve runs one in a worker process."""

    #: The engine's name, e.g. "ngram".
    name: str
    #: The engine's own version.
    version: str
    #: What its models do, of TASKS.
    tasks: Sequence[str]
    #: What MODEL_DEVICE could name here; other devices are refused before load is called.
    devices: Sequence[str] = ("cpu",)
    #: Libraries and their versions.
    libraries: Mapping[str, str] = {}

    def load(self, options: LoadOptions) -> Model:
        """Opens the model; called once."""
        raise NotImplementedError


def finish(*, prompt_tokens: int, completion_tokens: int, cut: bool = False) -> chat_pb2.StreamChatResponse:
    """The last piece of a chat: why it ended, and how much was read and written. cut: it reached max_tokens."""
    return chat_pb2.StreamChatResponse(
        finish_reason=common_pb2.FINISH_REASON_LENGTH if cut else common_pb2.FINISH_REASON_STOP,
        usage=common_pb2.Usage(prompt_token_count=prompt_tokens, completion_token_count=completion_tokens),
    )
