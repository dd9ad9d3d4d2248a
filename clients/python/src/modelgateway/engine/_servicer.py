"""Implements the service modelgateway.engine.v1.Engine for an Engine, and checks the order of calls."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from modelgateway.engine.v1 import engine_pb2, engine_pb2_grpc
from modelgateway.v1 import chat_pb2

from .._requests import from_struct, to_struct
from ..errors import (
    DOMAIN,
    Cancelled,
    ConfigNotFirst,
    Draining,
    EngineUnavailable,
    Internal,
    InvalidRequest,
    ModelGatewayError,
)
from ._interface import TASKS, Call, Engine, LoadOptions, Model

_log = logging.getLogger(__name__)

#: Shortest time between two reports in seconds, and longest time while the worker is busy.
_REPORT_SHORTEST = 0.1
_REPORT_LONGEST = 1.0

_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: ("INVALID_REQUEST", "CONFIG_NOT_FIRST", "AUDIO_UNREADABLE"),
    grpc.StatusCode.NOT_FOUND: ("MODEL_NOT_FOUND", "TASK_UNKNOWN"),
    grpc.StatusCode.FAILED_PRECONDITION: (
        "MODEL_EXCEEDS_BUDGET",
        "MODEL_FILE_MISSING",
        "MODEL_FILE_INVALID",
        "MODEL_CONFIG_INVALID",
        "ENGINE_UNAVAILABLE",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("MEMORY_BUSY", "QUEUE_FULL", "RATE_LIMITED"),
    grpc.StatusCode.UNAVAILABLE: ("ENGINE_CRASHED", "LOAD_COOLDOWN", "DRAINING", "SESSION_LOST"),
    grpc.StatusCode.DEADLINE_EXCEEDED: ("DEADLINE_EXCEEDED",),
    grpc.StatusCode.UNAUTHENTICATED: ("UNAUTHENTICATED",),
    grpc.StatusCode.PERMISSION_DENIED: ("FORBIDDEN",),
    grpc.StatusCode.CANCELLED: ("CANCELLED",),
}
_CODE_OF = {reason: code for code, reasons in _CODES.items() for reason in reasons}


class Servicer(engine_pb2_grpc.EngineServicer):
    """Serves one engine. stop is called when the server is gone."""

    def __init__(self, engine: Engine, stop: Callable[[], None]) -> None:
        self._engine = engine
        self._stop = stop
        self._stopping = threading.Event()
        self._wake = threading.Event()  # a report is due
        self._state = threading.Condition()  # guards the fields below
        self._work = 0
        self._active = 0
        self._calls = 0  # loads and runs in progress
        self._watched = False
        self._load_began = False
        self._model: Model | None = None
        self._model_name = ""
        self._places = threading.Semaphore(0)

    # The service

    def Describe(self, request: engine_pb2.DescribeRequest, context: Any) -> engine_pb2.DescribeResponse:  # noqa: N802
        engine = self._engine
        return engine_pb2.DescribeResponse(
            name=engine.name,
            version=engine.version,
            tasks=[f"TASK_{task.upper()}" for task in engine.tasks],
            libraries=dict(engine.libraries),
            devices=list(engine.devices),
        )

    def Watch(self, request: engine_pb2.WatchRequest, context: Any) -> Iterator[engine_pb2.WatchResponse]:  # noqa: N802
        with self._state:
            again, self._watched = self._watched, True
        if again:
            _abort(context, InvalidRequest("Watch was already called for this worker"))
        gone = threading.Event()

        def end() -> None:
            gone.set()
            self._wake.set()
            self._stop()

        if not context.add_callback(end):
            end()
        while not gone.is_set() and not self._stopping.is_set():
            self._wake.clear()
            with self._state:
                report = engine_pb2.WatchResponse(work_count=self._work, active_run_count=self._active)
            yield report
            gone.wait(_REPORT_SHORTEST)
            # An idle worker sends no reports.
            self._wake.wait(_REPORT_LONGEST - _REPORT_SHORTEST if report.active_run_count else None)

    def Load(self, request: engine_pb2.LoadRequest, context: Any) -> Iterator[engine_pb2.LoadResponse]:  # noqa: N802
        with self._failing(context), self._call():
            with self._state:
                if self._load_began:
                    raise EngineUnavailable("a worker loads one model only, once; start another worker")
                self._load_began = True
            yield from self._loading(request, context)

    def _loading(self, request: engine_pb2.LoadRequest, context: Any) -> Iterator[engine_pb2.LoadResponse]:
        # The load runs in another thread; this one sends its progress.
        news: queue.SimpleQueue[float | Model | BaseException] = queue.SimpleQueue()
        options = LoadOptions(
            self._stopping,
            self._count,
            news.put,
            model_name=request.model_name,
            path=request.path,
            device=request.device or "auto",
            threads=max(1, request.thread_count),
            max_concurrency=max(1, request.max_concurrency),
            parameters=from_struct(request.parameters),
        )
        if not context.add_callback(options._end):
            options._end()

        def load() -> None:
            try:
                self._check_device(options.device)
                news.put(self._engine.load(options))
            except BaseException as error:
                news.put(error)

        threading.Thread(target=load, name="load", daemon=True).start()
        best = 0.0
        while isinstance(now := news.get(), float | int):
            if now > best:
                best = min(float(now), 1.0)
                self._count(1)
                yield engine_pb2.LoadResponse(progress=best)
        if isinstance(now, BaseException):
            raise now
        with self._state:
            self._model, self._model_name = now, request.model_name
        self._places.release(options.max_concurrency)
        tasks = [task for task in self._engine.tasks if getattr(now, task, None) is not None]
        yield engine_pb2.LoadResponse(
            progress=1,
            ready=True,
            description=now.description,
            tasks=[] if len(tasks) == len(self._engine.tasks) else [f"TASK_{task.upper()}" for task in tasks],
        )

    def _check_device(self, device: str) -> None:
        if device != "auto" and device not in self._engine.devices:
            there = ", ".join(self._engine.devices)
            raise EngineUnavailable(f"device {device!r} is not available; available: {there}")

    def Run(  # noqa: N802
        self, request_iterator: Iterator[engine_pb2.RunRequest], context: Any
    ) -> Iterator[engine_pb2.RunResponse]:
        call = Call(self._stopping, self._count)
        if not context.add_callback(call._end):
            call._end()
        with self._failing(context), self._call():
            first = next(request_iterator, None)
            model = self._model
            if first is None:
                raise InvalidRequest("the stream ended before its first message")
            if model is None:
                raise EngineUnavailable("no model is loaded; call Load before Run")
            with self._place(call):
                for response in self._dispatch(model, first, request_iterator, call):
                    call.check()
                    yield response

    def _dispatch(
        self, model: Model, first: engine_pb2.RunRequest, rest: Iterator[engine_pb2.RunRequest], call: Call
    ) -> Iterator[engine_pb2.RunResponse]:
        task = first.WhichOneof("payload")
        if task == "audio":
            raise ConfigNotFirst("the first message has audio; it must have the config")
        if task not in TASKS:
            raise InvalidRequest("the first message has no task")
        method = getattr(model, task, None)
        if method is None or task not in self._engine.tasks:
            message = f"model {self._model_name!r} of engine {self._engine.name!r} does not support the task {task}"
            raise EngineUnavailable(message, metadata={"model": self._model_name, "task": task})
        request = getattr(first, task)
        if task == "chat":
            for piece in method(request, call):
                chat = chat_pb2.StreamChatResponse(delta=piece) if isinstance(piece, str) else piece
                yield engine_pb2.RunResponse(chat=chat)
        elif task == "transcribe":
            for event in method(request, _audio(rest), call):
                yield engine_pb2.RunResponse(transcribe=event)
        elif task == "synthesize":
            for piece in method(request, call):
                yield engine_pb2.RunResponse(synthesize=piece)
        elif task == "invoke":
            data = method(request.method, from_struct(request.params), call)
            yield engine_pb2.RunResponse(invoke=to_struct(data))
        else:
            yield engine_pb2.RunResponse(**{task: method(request, call)})

    # Shared by the calls

    def _count(self, units: int) -> None:
        with self._state:
            self._work += max(0, units)
        self._wake.set()

    @contextlib.contextmanager
    def _call(self) -> Iterator[None]:
        """Counts a call that shutdown waits for."""
        with self._state:
            if self._stopping.is_set():
                raise Draining("the engine is stopping")
            self._calls += 1
        try:
            yield
        finally:
            with self._state:
                self._calls -= 1
                self._state.notify_all()

    @contextlib.contextmanager
    def _place(self, call: Call) -> Iterator[None]:
        """Waits for one of the model's max_concurrency places."""
        while not self._places.acquire(timeout=0.05):
            call.check()
        with self._state:
            self._active += 1
        self._wake.set()
        try:
            yield
        finally:
            with self._state:
                self._active -= 1
            self._places.release()
            self._wake.set()

    @contextlib.contextmanager
    def _failing(self, context: Any) -> Iterator[None]:
        """Converts exceptions to errors of the call. Exceptions of other packages become INTERNAL; their text may
        contain a user's words, so it is neither sent nor logged."""
        try:
            yield
        except ModelGatewayError as error:
            _abort(context, error)
        except Exception as error:
            if not context.is_active():
                _abort(context, Cancelled("the call was cancelled"))
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s in the engine\n%s", type(error).__name__, where)
            _abort(context, Internal("internal error in the engine; see the server's log"))

    def shutdown(self, bound: float) -> bool:
        """Cancels the calls, waits for them, and closes the model. Returns False if they did not end in time."""
        self._stopping.set()
        self._wake.set()
        with self._state:
            ended = self._state.wait_for(lambda: self._calls == 0, bound)
            model = self._model
        if ended and model is not None:
            try:
                model.close()
            except Exception as error:
                _log.warning("closing the model failed: %s", type(error).__name__)
        return ended


def _audio(requests: Iterator[engine_pb2.RunRequest]) -> Iterator[bytes]:
    for request in requests:
        if request.WhichOneof("payload") != "audio":
            raise InvalidRequest("after the config of a transcription, all messages must have audio")
        yield request.audio


class _Status(grpc.Status):
    def __init__(self, code: grpc.StatusCode, details: str, trailing_metadata: Any) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = trailing_metadata


def _abort(context: Any, error: ModelGatewayError) -> NoReturn:
    code = _CODE_OF.get(error.reason, grpc.StatusCode.INTERNAL)
    status = status_pb2.Status(code=code.value[0], message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason or "INTERNAL", domain=DOMAIN, metadata=error.metadata)
    _pack(status, info)
    if code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE) or error.retry_after:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(1000 * (error.retry_after or 1)))
        _pack(status, retry)
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    context.abort_with_status(_Status(code, error.message, trailers))
    raise AssertionError("abort_with_status raises")


def _pack(status: status_pb2.Status, detail: Any) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)
