"""The functions of the Python gateway, on top of a ModelGateway server.

Code that used the Python gateway works after a change of its import lines:

    from modelgateway.compat import setup_gateway, shutdown_gateway, execute_task, get_gateway

Results are dictionaries: {"success": True, "data": {...}, ...} or {"success":
False, "error": "...", "reason": "...", ...}. A task that fails raises no exception.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
import weakref
from collections.abc import Mapping
from typing import Any

from modelgateway.v1 import common_pb2, model_pb2, status_pb2

from . import _calls
from .aio import AsyncClient
from .audio import is_path, whole
from .client import Client
from .errors import InvalidRequest, ModelGatewayError

_log = logging.getLogger(__name__)

#: Seconds that setup_gateway waits for a server that is still starting.
SETUP_TIMEOUT = 30.0
#: Timeout of get_status in seconds.
STATUS_TIMEOUT = 5.0

# Code for the Python gateway has its own fallback for failures, so it should not wait long.
_RETRY = _calls.Retry(max_wait=2.0)
_SPEAKING = {"tts", "synthesize"}
_MEBIBYTE = 1 << 20


class Gateway:
    """The gateway object. It belongs to one event loop; get_gateway returns it."""

    def __init__(self, address: str | None = None, *, local_only: bool = False) -> None:
        self._client = AsyncClient(address, retry=_RETRY)
        self._status_client: Client | None = None
        self._routing = common_pb2.Routing(local_only=True) if local_only else None

    @property
    def client(self) -> AsyncClient:
        """The typed client that this object uses."""
        return self._client

    async def execute_task(
        self, task_type: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Runs a task: chat, grammar, respond, explain_vietnamese, transcribe, synthesize, pronunciation, one of
        their names in the Python gateway (response, explain_vi, vietnamese, stt, tts), or one of the server's
        configuration.

        params["audio"] is bytes or a path, which is read here. Speech is returned
        as bytes in data["audio"]: a WAV file, or samples if params["format"] is "pcm".
        Parameters that are None count as not given.
        """
        began = time.monotonic()
        try:
            result = await self._client.execute_task(
                task_type, await _sent(params), routing=self._routing, timeout=timeout
            )
            return _success(result.data, result.served_by, began, speech=task_type in _SPEAKING)
        except (ModelGatewayError, OSError, TypeError, ValueError) as error:
            return _failure(error, began)

    async def invoke(
        self, model_name: str, method: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Calls a method of one model: chat, analyze_grammar, generate_response, transcribe, synthesize,
        analyze_pronunciation, explain_vietnamese, "invoke" with params["task"], or a method of its engine."""
        began = time.monotonic()
        speech = method == "synthesize" or (method == "invoke" and (params or {}).get("task") in _SPEAKING)
        try:
            result = await self._client.invoke(
                model_name, method, await _sent(params), routing=self._routing, timeout=timeout
            )
            return _success(result.data, result.served_by, began, speech=speech)
        except (ModelGatewayError, OSError, TypeError, ValueError) as error:
            return _failure(error, began)

    def get_status(self) -> dict[str, Any]:
        """Returns the status in the format of the Python gateway. Usually blocks for a few milliseconds.

        Raises ModelGatewayError if the server does not answer. In a coroutine,
        `await gateway.status()` does the same without blocking.
        """
        if self._status_client is None:
            self._status_client = Client(self._client.address, retry=_calls.Retry(attempts=1))
        return status_dict(self._status_client.status(timeout=STATUS_TIMEOUT))

    async def status(self) -> dict[str, Any]:
        """Returns what get_status returns, without blocking."""
        return status_dict(await self._client.status(timeout=STATUS_TIMEOUT))

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._status_client is not None:
            self._status_client.close()
        await self._client.aclose()


class _Settings:
    """Arguments of setup_gateway, and the gateway of each event loop. Global, as in the Python gateway."""

    address: str | None = None
    local_only = False
    gateways: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = weakref.WeakKeyDictionary()


async def setup_gateway(
    max_memory_mb: int | None = None,
    enable_auto_unload: bool = True,
    use_gemini_fallback: bool = True,
    *,
    address: str | None = None,
    timeout: float = SETUP_TIMEOUT,
) -> Gateway:
    """Connects to the server at address, or $MODELGATEWAY_ADDR, and waits until it answers.

    The server has its own memory budget and unloads idle models itself. If
    max_memory_mb or enable_auto_unload differ from that, a warning is logged.
    use_gemini_fallback=False keeps every request of this process on the
    server's machine. Raises ServerUnreachable if no server answers.
    """
    await shutdown_gateway()
    _Settings.address = address
    _Settings.local_only = not use_gemini_fallback
    gateway = await get_gateway()
    deadline = time.monotonic() + timeout
    while True:
        try:
            status = await gateway.client.status(timeout=max(0.1, deadline - time.monotonic()))
            break
        except ModelGatewayError:
            if time.monotonic() + 1 > deadline:
                await shutdown_gateway()
                raise
            await asyncio.sleep(0.5)
    for difference in differences(status, max_memory_mb, enable_auto_unload, use_gemini_fallback):
        _log.warning("setup_gateway: %s", difference)
    return gateway


async def get_gateway() -> Gateway:
    """Returns the gateway of this event loop. setup_gateway need not have been called."""
    loop = asyncio.get_running_loop()
    gateway = _Settings.gateways.get(loop)
    if gateway is None:
        for ended in [other for other in _Settings.gateways if other.is_closed()]:
            del _Settings.gateways[ended]  # was not shut down before its loop was closed
        gateway = Gateway(_Settings.address, local_only=_Settings.local_only)
        _Settings.gateways[loop] = gateway
    return gateway


async def shutdown_gateway() -> None:
    """Closes the connections of this event loop. The server and its models keep running."""
    gateway = _Settings.gateways.pop(asyncio.get_running_loop(), None)
    if gateway is not None:
        await gateway.aclose()


async def execute_task(
    task_type: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
) -> dict[str, Any]:
    """Runs a task; see Gateway.execute_task."""
    return await (await get_gateway()).execute_task(task_type, params, timeout=timeout)


async def _sent(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the parameters to send. Files are read here, because the server opens no files for its clients."""
    sent = {key: value for key, value in (params or {}).items() if value is not None}
    if "audio" not in sent and "audio_path" in sent:
        sent["audio"] = sent.pop("audio_path")
    audio: Any = sent.get("audio")
    if is_path(audio) or hasattr(audio, "read"):
        sent["audio"] = await asyncio.to_thread(whole, audio)
    return sent


def _success(data: dict[str, Any], by: common_pb2.ServedBy, began: float, *, speech: bool) -> dict[str, Any]:
    if speech and isinstance(data.get("audio"), str):
        data["audio"] = base64.b64decode(data["audio"])
    reason = common_pb2.FallbackReason.Name(by.fallback_reason).removeprefix("FALLBACK_REASON_")
    return {
        "success": True,
        "data": data,
        "error": None,
        "model": by.model,
        "engine": by.engine,
        "fallback": by.fallback,
        "fallback_reason": reason if by.fallback else None,
        "latency_ms": _milliseconds(began),
    }


def _failure(error: Exception, began: float) -> dict[str, Any]:
    # Other exceptions occurred before the call: an unreadable file, or a value that JSON cannot represent.
    known = error if isinstance(error, ModelGatewayError) else InvalidRequest(str(error))
    return {
        "success": False,
        "data": None,
        "error": known.message,
        "reason": known.reason or known.code.name,
        "retry_after": known.retry_after,
        "model": known.metadata.get("model"),
        "latency_ms": _milliseconds(began),
    }


def _milliseconds(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def differences(
    status: status_pb2.StatusResponse, max_memory_mb: int | None, enable_auto_unload: bool, use_gemini_fallback: bool
) -> list[str]:
    """Returns a warning for each argument of setup_gateway that the server cannot follow."""
    found = []
    budget = status.memory_budget_bytes // _MEBIBYTE
    if max_memory_mb is not None and max_memory_mb != budget:
        found.append(
            f"max_memory_mb={max_memory_mb}, but the server's budget is {budget} MB; set MAX_MEMORY_MB for the server"
        )
    if not enable_auto_unload:
        found.append("enable_auto_unload=False has no effect: the server unloads idle models; pin those to keep")
    gemini = [model for model in status.models if model.engine == "gemini"]
    usable = any(model.state != model_pb2.MODEL_STATE_FAILED for model in gemini)
    if use_gemini_fallback and not usable:
        found.append("use_gemini_fallback=True, but the server has no usable Gemini model; run modelgateway doctor")
    return found


_STATES = {
    model_pb2.MODEL_STATE_LOADING: "loading",
    model_pb2.MODEL_STATE_READY: "ready",
    model_pb2.MODEL_STATE_DRAINING: "unloading",
    model_pb2.MODEL_STATE_FAILED: "error",
}


def status_dict(status: status_pb2.StatusResponse) -> dict[str, Any]:
    """Returns a status in the format of the Python gateway, as in "gateway_status" of GET /health."""
    loaded = (model_pb2.MODEL_STATE_READY, model_pb2.MODEL_STATE_DRAINING)
    return {
        "gateway": {
            "uptime_seconds": status.uptime.seconds,
            "total_requests": status.total_request_count,
            "max_memory_mb": _mebibytes(status.memory_budget_bytes),
            "used_memory_mb": _mebibytes(status.memory_used_bytes),
            "cpu_threads": status.cpu_threads_total,
            "draining": status.draining,
        },
        "loaded_models": [model.name for model in status.models if model.state in loaded],
        "models": {model.name: _model_dict(model) for model in status.models},
    }


def _model_dict(model: model_pb2.Model) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "status": _STATES.get(model.state, "unloaded"),
        "request_count": model.request_count,
        "avg_latency_ms": model.average_latency.ToMilliseconds(),
        "engine": model.engine,
        "error_count": model.error_count,
        "memory_mb": _mebibytes(model.memory.charged_bytes),
        "active": model.active_count,
        "queued": model.queued_count,
    }
    if model.HasField("failure"):
        fields["error"] = model.failure.message
    if model.note:
        fields["note"] = model.note
    return fields


def _mebibytes(size: int) -> int:
    """Rounds up, so that memory in use is never shown as 0."""
    return -(-size // _MEBIBYTE)
