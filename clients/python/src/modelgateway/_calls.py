"""What every call shares: deadlines, retries with the server's advice, the connection's settings."""

from __future__ import annotations

import dataclasses
import math
import os
import random
import time
from collections.abc import Sequence

import grpc

from .errors import Cancelled, DeadlineExceeded, EngineCrashed, ModelGatewayError, ServerUnreachable

#: Where a server listens unless it is told otherwise.
DEFAULT_ADDRESS = "127.0.0.1:50051"
#: The environment variable that names another address.
ADDRESS_VARIABLE = "MODELGATEWAY_ADDR"

#: The most bytes of one message: the 64 MiB of a clip, and what wraps them.
MAX_MESSAGE_BYTES = 68 << 20

#: Seconds that calls may take unless they are told otherwise.
INFERENCE_TIMEOUT = 120.0
#: What goes on as long as somebody speaks or listens.
LIVE_TIMEOUT = 3600.0
LOAD_TIMEOUT = 600.0
ADMIN_TIMEOUT = 15.0

_CLOCK_TOLERANCE = 0.1


@dataclasses.dataclass(frozen=True)
class Retry:
    """When a failed call is tried again.

    Only while nothing was received, only if the server advises it (RetryInfo)
    or could not be reached, and only if the wait fits into the call's deadline.
    A request whose engine crashed is tried once more, whatever the number of tries.
    """

    #: Tries in total; 1 turns retries off.
    attempts: int = 3
    #: The longest wait, in seconds, that is taken; advice beyond it is raised instead.
    max_wait: float = 30.0

    def wait(self, error: ModelGatewayError, attempt: int, deadline: Deadline) -> float | None:
        """Returns how long to wait before the next try; None if there is none."""
        if attempt >= self.attempts:
            return None
        if isinstance(error, EngineCrashed) and attempt > 1:
            return None  # it may be this very request that kills the engine, for everyone
        if error.retry_after is not None:
            seconds = error.retry_after
        elif isinstance(error, ServerUnreachable):
            seconds = min(0.2 * 2 ** (attempt - 1), 2.0)
        else:
            return None
        # Callers that were turned away together do not come back together.
        seconds *= 1 + 0.1 * random.random()
        remaining = deadline.remaining()
        if seconds > self.max_wait or (remaining is not None and seconds >= remaining):
            return None
        return seconds


class Deadline:
    """The end of a call and of its retries."""

    def __init__(self, timeout: float) -> None:
        self._end = time.monotonic() + timeout

    def remaining(self) -> float | None:
        """Seconds that are left, as gRPC takes them; None: no deadline."""
        if math.isinf(self._end):
            return None
        return max(0.0, self._end - time.monotonic())

    def judge(self, error: ModelGatewayError) -> ModelGatewayError:
        """Returns the error, or DeadlineExceeded if that is what a cancel at the deadline means.

        The server resets the stream when its clock says that the time is up,
        which may reach this side a moment before its own clock says so.
        """
        remaining = self.remaining()
        if isinstance(error, Cancelled) and remaining is not None and remaining < _CLOCK_TOLERANCE:
            return DeadlineExceeded("the deadline passed", code=grpc.StatusCode.DEADLINE_EXCEEDED)
        return error


def resolve_address(address: str | None) -> str:
    """Returns the address that was given, else the environment's, else the default."""
    return address or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS


def channel_options() -> list[tuple[str, int]]:
    """Settings of a connection."""
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # Retries are made here, where the server's advice is read.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]


def channel_credentials(tls: bool | grpc.ChannelCredentials) -> grpc.ChannelCredentials | None:
    """Returns TLS credentials, the system's certificate authorities for True; None for plain text."""
    if tls is True:
        return grpc.ssl_channel_credentials()
    return tls or None


def call_metadata(api_key: str | None, metadata: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Returns what goes with every call."""
    key = (("authorization", f"Bearer {api_key}"),) if api_key else ()
    return (*metadata, *key)
