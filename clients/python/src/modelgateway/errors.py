"""Exceptions for failed calls, one class for each reason.

Every failed call raises a subclass of ModelGatewayError, which has the reason,
the gRPC code, the time after which a retry can help, and the metadata.
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

    #: The reason, e.g. "MODEL_NOT_FOUND"; "" if the error does not come from the
    #: server.
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
        #: What happened and what to do.
        self.message = message
        #: True if the server sent the reason.
        self.from_server = reason is not None
        #: The gRPC status code.
        self.code = code
        #: Seconds after which a retry can help; None if it cannot.
        self.retry_after = retry_after
        #: Further details, such as "model".
        self.metadata = metadata or {}

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


class InvalidRequest(ModelGatewayError):
    """A field is invalid, or the prompt does not fit into the context window."""

    reason = "INVALID_REQUEST"


class ConfigNotFirst(ModelGatewayError):
    """The first message of a stream has no config."""

    reason = "CONFIG_NOT_FIRST"


class AudioUnreadable(ModelGatewayError):
    """The audio format is not supported, or the audio is damaged."""

    reason = "AUDIO_UNREADABLE"


class ModelNotFound(ModelGatewayError):
    """The configuration has no model of that name."""

    reason = "MODEL_NOT_FOUND"


class TaskUnknown(ModelGatewayError):
    """The configuration has no such task."""

    reason = "TASK_UNKNOWN"


class ModelExceedsBudget(ModelGatewayError):
    """The model needs more memory than the whole budget."""

    reason = "MODEL_EXCEEDS_BUDGET"


class ModelFileMissing(ModelGatewayError):
    """The model's file does not exist."""

    reason = "MODEL_FILE_MISSING"


class ModelFileInvalid(ModelGatewayError):
    """The model's file is damaged, incomplete, or has an architecture that the engine does not support."""

    reason = "MODEL_FILE_INVALID"


class ModelConfigInvalid(ModelGatewayError):
    """The server's configuration of the model is wrong, such as a parameter that its engine does not know."""

    reason = "MODEL_CONFIG_INVALID"


class EngineUnavailable(ModelGatewayError):
    """The engine, a library, the device or an API key is missing, or the model does not support the task."""

    reason = "ENGINE_UNAVAILABLE"


class MemoryBusy(ModelGatewayError):
    """Other models that are in use hold the memory."""

    reason = "MEMORY_BUSY"


class QueueFull(ModelGatewayError):
    """Too many requests are waiting for this model."""

    reason = "QUEUE_FULL"


class RateLimited(ModelGatewayError):
    """The caller sends too many requests, or the quota of a cloud model is used up."""

    reason = "RATE_LIMITED"


class EngineCrashed(ModelGatewayError):
    """The worker process crashed or stopped making progress; the next request starts a new one."""

    reason = "ENGINE_CRASHED"


class LoadCooldown(ModelGatewayError):
    """The model is in cooldown, because a load or several requests in a row failed shortly before."""

    reason = "LOAD_COOLDOWN"


class Draining(ModelGatewayError):
    """The server is shutting down."""

    reason = "DRAINING"


class SessionLost(ModelGatewayError):
    """The server has no such open transcription: it has ended, or another server has it. Open a new one."""

    reason = "SESSION_LOST"


class DeadlineExceeded(ModelGatewayError, TimeoutError):
    """The deadline or another time limit passed, or the server expects that the deadline cannot be met."""

    reason = "DEADLINE_EXCEEDED"


class Unauthenticated(ModelGatewayError):
    """The request has no valid credentials."""

    reason = "UNAUTHENTICATED"


class Forbidden(ModelGatewayError):
    """The caller is not allowed to do this."""

    reason = "FORBIDDEN"


class Internal(ModelGatewayError):
    """An internal error; the server's log has the details."""

    reason = "INTERNAL"


class Cancelled(ModelGatewayError):
    """The call was cancelled."""

    reason = "CANCELLED"


class ServerUnreachable(ModelGatewayError, ConnectionError):
    """There is no server at the address, or the connection to it broke: also that of a proxy to the server."""


def _by_reason() -> dict[str, type[ModelGatewayError]]:
    return {cls.reason: cls for cls in ModelGatewayError.__subclasses__() if cls.reason}


# For errors without a reason from the server.
_BY_CODE: dict[grpc.StatusCode, type[ModelGatewayError]] = {
    grpc.StatusCode.UNAVAILABLE: ServerUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
}


# A proxy whose server is gone resets the stream, with one of several codes.
_RESET_CODES = (grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


def _was_reset(code: grpc.StatusCode, message: str) -> bool:
    return code in _RESET_CODES and "RST_STREAM" in message


def error_of(error: grpc.RpcError) -> ModelGatewayError:
    """Converts an exception of gRPC to the class for its reason."""
    code = error.code() if hasattr(error, "code") else grpc.StatusCode.UNKNOWN
    message = (error.details() if hasattr(error, "details") else None) or str(error)
    reason, retry_after, metadata = "", None, {}
    for detail in _details(error):
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            if info.domain == DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    if not reason and code == grpc.StatusCode.UNAVAILABLE:
        message += '. Start a server with "modelgateway serve", or set address or MODELGATEWAY_ADDR to a running one.'
    # A reason that this version does not know raises the base class.
    cls = _by_reason().get(reason, ModelGatewayError) if reason else _BY_CODE.get(code, ModelGatewayError)
    if not reason and _was_reset(code, message):
        cls = ServerUnreachable
    return cls(message, reason=reason or None, code=code, retry_after=retry_after, metadata=metadata)


def _details(error: grpc.RpcError) -> list[any_pb2.Any]:
    trailers: Any = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    for key, value in trailers or ():
        if key == _DETAILS:
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:  # not from the server, e.g. from a proxy
                return []
    return []
