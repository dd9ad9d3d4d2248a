"""Failures of calls, one exception for each reason that the server gives.

Every failed call raises a subclass of ModelGatewayError, which keeps the
reason, gRPC's code, the server's advice about a retry, and its particulars.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "modelgateway"
_DETAILS = "grpc-status-details-bin"


class ModelGatewayError(Exception):
    """A call that failed."""

    #: The reason's public name, e.g. "MODEL_NOT_FOUND"; "" if the failure is not
    #: the server's own.
    reason: str = ""

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        retry_after: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason
        #: What happened and what to do about it, for people.
        self.message = message
        #: gRPC's code.
        self.code = code
        #: Seconds after which the same call may succeed; None if a retry does not help.
        self.retry_after = retry_after
        #: Particulars such as "model".
        self.metadata = metadata or {}

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


class InvalidRequest(ModelGatewayError):
    """A field breaks its rule, or the prompt does not fit the context window."""

    reason = "INVALID_REQUEST"


class ConfigNotFirst(ModelGatewayError):
    """A stream's first message carried no config."""

    reason = "CONFIG_NOT_FIRST"


class AudioUnreadable(ModelGatewayError):
    """The audio is of no known format, or broken."""

    reason = "AUDIO_UNREADABLE"


class ModelNotFound(ModelGatewayError):
    """No model of that name is configured."""

    reason = "MODEL_NOT_FOUND"


class TaskUnknown(ModelGatewayError):
    """No model is routed for that task type."""

    reason = "TASK_UNKNOWN"


class ModelExceedsBudget(ModelGatewayError):
    """The model needs more memory than the whole budget."""

    reason = "MODEL_EXCEEDS_BUDGET"


class ModelFileMissing(ModelGatewayError):
    """The model's file is not there."""

    reason = "MODEL_FILE_MISSING"


class ModelFileInvalid(ModelGatewayError):
    """The model's file is corrupt, truncated, or of an unknown architecture."""

    reason = "MODEL_FILE_INVALID"


class EngineUnavailable(ModelGatewayError):
    """The engine, a library or the device is absent, or the model cannot do the task."""

    reason = "ENGINE_UNAVAILABLE"


class MemoryBusy(ModelGatewayError):
    """The memory is held by models at work."""

    reason = "MEMORY_BUSY"


class QueueFull(ModelGatewayError):
    """Too many requests wait for this model."""

    reason = "QUEUE_FULL"


class RateLimited(ModelGatewayError):
    """The caller sends more than its share."""

    reason = "RATE_LIMITED"


class EngineCrashed(ModelGatewayError):
    """The model's process died or stopped making progress; the next request starts a new one."""

    reason = "ENGINE_CRASHED"


class LoadCooldown(ModelGatewayError):
    """The model failed to load a moment ago and is not tried again yet."""

    reason = "LOAD_COOLDOWN"


class Draining(ModelGatewayError):
    """The server is shutting down."""

    reason = "DRAINING"


class DeadlineExceeded(ModelGatewayError, TimeoutError):
    """The deadline passed, or could not be met and was not tried."""

    reason = "DEADLINE_EXCEEDED"


class Unauthenticated(ModelGatewayError):
    """No valid credentials."""

    reason = "UNAUTHENTICATED"


class Forbidden(ModelGatewayError):
    """The credentials do not allow this."""

    reason = "FORBIDDEN"


class Internal(ModelGatewayError):
    """A fault of the server's own; its log has more."""

    reason = "INTERNAL"


class Cancelled(ModelGatewayError):
    """The call was cancelled."""

    reason = "CANCELLED"


class ServerUnreachable(ModelGatewayError, ConnectionError):
    """No server answers at the address, or the connection to it broke."""


def _by_reason() -> dict[str, type[ModelGatewayError]]:
    return {cls.reason: cls for cls in ModelGatewayError.__subclasses__() if cls.reason}


# For failures that carry no reason of the server's: gRPC's own.
_BY_CODE: dict[grpc.StatusCode, type[ModelGatewayError]] = {
    grpc.StatusCode.UNAVAILABLE: ServerUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
}


def error_of(error: grpc.RpcError) -> ModelGatewayError:
    """Returns what gRPC raised, by the reason that the server gave."""
    code = error.code() if hasattr(error, "code") else grpc.StatusCode.UNKNOWN
    message = (error.details() if hasattr(error, "details") else None) or str(error)
    reason, retry_after, metadata = "", None, {}
    for detail in _details(error):
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
            if info.domain == DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif detail.Is(retry.DESCRIPTOR):
            detail.Unpack(retry)
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    if not reason and code == grpc.StatusCode.UNAVAILABLE:
        message += '. Start a server with "modelgateway serve", or name another by address or MODELGATEWAY_ADDR.'
    # A reason that is newer than this client stays in the base class.
    cls = _by_reason().get(reason, ModelGatewayError) if reason else _BY_CODE.get(code, ModelGatewayError)
    return cls(message, reason=reason or None, code=code, retry_after=retry_after, metadata=metadata)


def _details(error: grpc.RpcError) -> list[any_pb2.Any]:
    trailers: Any = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    for key, value in trailers or ():
        if key == _DETAILS:
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:  # something between here and the server made it
                return []
    return []
