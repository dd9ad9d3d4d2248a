"""The functions of the original in-process gateway, served by a ModelGateway server.

Code that used the original runs with its import lines changed:

    from modelgateway.compat import setup_gateway, shutdown_gateway, execute_task, get_gateway

Results are dictionaries: {"success": True, "data": {...}, ...} or {"success":
False, "error": "...", "reason": "...", ...}; a task that fails raises nothing.
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
#: Seconds that get_status may block.
STATUS_TIMEOUT = 5.0

# Callers of the original have an answer of their own for failures, and give it soon.
_RETRY = _calls.Retry(max_wait=2.0)
_SPEAKING = {"tts", "synthesize"}
_MEBIBYTE = 1 << 20


class Gateway:
    """The original's gateway object. It belongs to one event loop; get_gateway makes it."""

    def __init__(self, address: str | None = None, *, local_only: bool = False) -> None:
        self._client = AsyncClient(address, retry=_RETRY)
        self._status_client: Client | None = None
        self._routing = common_pb2.Routing(local_only=True) if local_only else None

    @property
    def client(self) -> AsyncClient:
        """The typed client underneath."""
        return self._client

    async def execute_task(
        self, task_type: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Runs a task: chat, grammar, respond, explain_vietnamese, transcribe, synthesize, pronunciation, one of
        their names in the Python gateway (response, explain_vi, vietnamese, stt, tts), or one of the server's
        configuration.

        params["audio"] is bytes or a path, which is read here. Speech comes back
        as bytes in data["audio"]: a WAV file, or samples with params["format"] "pcm".
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
        analyze_pronunciation, explain_vietnamese, "invoke" with params["task"], or one that its engine knows."""
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
        """Returns the status in the original's shape. It blocks, for a few milliseconds as a rule.

        Raises ModelGatewayError if the server does not answer. In a coroutine
        `await gateway.status()` does the same without blocking.
        """
        if self._status_client is None:
            self._status_client = Client(self._client.address, retry=_calls.Retry(attempts=1))
        return status_dict(self._status_client.status(timeout=STATUS_TIMEOUT))

    async def status(self) -> dict[str, Any]:
        """Returns what get_status returns, without blocking."""
        return status_dict(await self._client.status(timeout=STATUS_TIMEOUT))

    async def aclose(self) -> None:
        """Ends the connections."""
        if self._status_client is not None:
            self._status_client.close()
        await self._client.aclose()


class _Settings:
    """What setup_gateway was told, and the gateways that were made; the original's were global, too."""

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

    The budget and the unloading are the server's own now: max_memory_mb and
    enable_auto_unload are compared with it, and a difference is logged as a
    warning. use_gemini_fallback=False keeps every request of this process on
    the server's machine. Raises ServerUnreachable if no server answers.
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
    """Returns this event loop's gateway; makes it if setup_gateway was not called."""
    loop = asyncio.get_running_loop()
    gateway = _Settings.gateways.get(loop)
    if gateway is None:
        for ended in [other for other in _Settings.gateways if other.is_closed()]:
            del _Settings.gateways[ended]  # it was not shut down; its loop is gone
        gateway = Gateway(_Settings.address, local_only=_Settings.local_only)
        _Settings.gateways[loop] = gateway
    return gateway


async def shutdown_gateway() -> None:
    """Ends this event loop's connections. The server and its models go on."""
    gateway = _Settings.gateways.pop(asyncio.get_running_loop(), None)
    if gateway is not None:
        await gateway.aclose()


async def execute_task(
    task_type: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
) -> dict[str, Any]:
    """Runs a task; see Gateway.execute_task."""
    return await (await get_gateway()).execute_task(task_type, params, timeout=timeout)


async def _sent(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the parameters as they are sent: the server opens no file of its callers."""
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
    # What is no ModelGatewayError was not sent: a file that cannot be read, a value that is no JSON.
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
    """Says where the server is set up otherwise than the original's arguments ask."""
    found = []
    budget = status.memory_budget_bytes // _MEBIBYTE
    if max_memory_mb is not None and max_memory_mb != budget:
        found.append(
            f"max_memory_mb={max_memory_mb}, but the server's budget is {budget} MB; it is set by MAX_MEMORY_MB there"
        )
    if not enable_auto_unload:
        found.append("enable_auto_unload=False has no effect: idle models are unloaded; pin those that shall stay")
    gemini = [model for model in status.models if model.engine == "gemini"]
    usable = any(model.state != model_pb2.MODEL_STATE_FAILED for model in gemini)
    if use_gemini_fallback and not usable:
        found.append("use_gemini_fallback=True, but the server has no Gemini model that works; see modelgateway doctor")
    return found


_STATES = {
    model_pb2.MODEL_STATE_LOADING: "loading",
    model_pb2.MODEL_STATE_READY: "ready",
    model_pb2.MODEL_STATE_DRAINING: "unloading",
    model_pb2.MODEL_STATE_FAILED: "error",
}


def status_dict(status: status_pb2.StatusResponse) -> dict[str, Any]:
    """Returns a status in the original's shape, which is that of GET /health's "gateway_status", too."""
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
    """Rounds up: what is used is never shown as nothing."""
    return -(-size // _MEBIBYTE)
