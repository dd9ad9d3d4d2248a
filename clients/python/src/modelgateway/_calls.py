"""Shared by all calls: deadlines, retries, settings of the connection."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import random
import time
from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from .errors import Cancelled, DeadlineExceeded, EngineCrashed, ModelGatewayError, ServerUnreachable, SessionLost

#: Default address of a server.
DEFAULT_ADDRESS = "127.0.0.1:50051"
#: The environment variable for another address.
ADDRESS_VARIABLE = "MODELGATEWAY_ADDR"

#: Maximum size of a message: 64 MiB of audio, and the fields around it.
MAX_MESSAGE_BYTES = 68 << 20

#: Default timeouts in seconds.
INFERENCE_TIMEOUT = 120.0
#: For calls that last as long as someone speaks or listens.
LIVE_TIMEOUT = 3600.0
LOAD_TIMEOUT = 600.0
ADMIN_TIMEOUT = 15.0

#: Seconds for which the server keeps a transcription session after its stream broke.
RESUME_WITHIN = 30.0

#: Headers by which a proxy chooses a server. The server itself does not read them.
AFFINITY_HEADER = "mg-affinity"  # the same for all calls of one conversation
MODEL_HEADER = "mg-model"  # the model that a call names
ENDPOINT_HEADER = "mg-endpoint"  # the server that has a session; in answers: who answered

#: Metadata of a call.
Metadata = tuple[tuple[str, str], ...]

_CLOCK_TOLERANCE = 0.1


@dataclasses.dataclass(frozen=True)
class Retry:
    """When a failed call is retried.

    A call is retried only if nothing was received yet, if the server advises it
    (RetryInfo) or could not be reached, and if the wait fits into the deadline.
    A request whose engine crashed is retried only once.
    """

    #: Number of attempts in total; 1 turns retries off.
    attempts: int = 3
    #: Longest wait in seconds; if the server advises a longer one, the error is raised.
    max_wait: float = 30.0

    def wait(self, error: ModelGatewayError, attempt: int, deadline: Deadline) -> float | None:
        """Returns how many seconds to wait before the next attempt; None for no further attempt."""
        if attempt >= self.attempts:
            return None
        if isinstance(error, EngineCrashed) and attempt > 1:
            return None  # this request may be the cause of the crash
        if isinstance(error, SessionLost):
            return None  # the session does not come back
        if error.retry_after is not None:
            seconds = error.retry_after
        elif isinstance(error, ServerUnreachable):
            seconds = min(0.2 * 2 ** (attempt - 1), 2.0)
        else:
            return None
        # Jitter, so that clients that were refused together do not retry together.
        seconds *= 1 + 0.1 * random.random()
        remaining = deadline.remaining()
        if seconds > self.max_wait or (remaining is not None and seconds >= remaining):
            return None
        return seconds


class Deadline:
    """The deadline of a call including its retries."""

    def __init__(self, timeout: float) -> None:
        self._end = time.monotonic() + timeout

    def remaining(self) -> float | None:
        """Returns the remaining seconds; None if there is no deadline."""
        if math.isinf(self._end):
            return None
        return max(0.0, self._end - time.monotonic())

    def earlier(self, other: Deadline) -> Deadline:
        """Returns the one that passes first."""
        return self if self._end <= other._end else other

    def judge(self, error: ModelGatewayError) -> ModelGatewayError:
        """Returns the error, or DeadlineExceeded for a stream that was reset at the deadline.

        The server resets the stream when the deadline passes by its own clock.
        That can arrive shortly before the deadline passes by the client's clock.
        """
        remaining = self.remaining()
        reset = isinstance(error, Cancelled | ServerUnreachable) and error.code != grpc.StatusCode.UNAVAILABLE
        if reset and remaining is not None and remaining < _CLOCK_TOLERANCE:
            return deadline_passed()
        return error


def deadline_passed() -> DeadlineExceeded:
    """Returns the error of a call whose deadline passed."""
    return DeadlineExceeded("the deadline passed", code=grpc.StatusCode.DEADLINE_EXCEEDED)


def resolve_address(address: str | None) -> str:
    """Returns the given address, or that in the environment, or the default."""
    return address or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS


def channel_options() -> list[tuple[str, int]]:
    """Returns the settings of the gRPC channel."""
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # This package retries itself, because it follows the server's RetryInfo.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # A machine that is gone does not close its connections.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.ping_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def channel_credentials(tls: bool | grpc.ChannelCredentials) -> grpc.ChannelCredentials | None:
    """Returns TLS credentials (for True with the system's certificate authorities); None for plain text."""
    if tls is True:
        return grpc.ssl_channel_credentials()
    return tls or None


def call_metadata(api_key: str | None, metadata: Sequence[tuple[str, str]]) -> Metadata:
    """Returns the metadata of every call."""
    api_key = api_key or os.environ.get("MODELGATEWAY_API_KEY")
    key = (("authorization", f"Bearer {api_key}"),) if api_key else ()
    return (*metadata, *key)


def affinity(conversation: str) -> Metadata:
    """Returns the header of a conversation's calls. Every client of the project computes the same."""
    return ((AFFINITY_HEADER, hashlib.sha256(conversation.encode()).hexdigest()[:32]),)


def named(request: Any) -> Metadata:
    """Returns the header with the model that a request, or a config, names."""
    config = getattr(request, "config", request)
    model = getattr(config, "model", "") or getattr(request, "model_name", "")
    return ((MODEL_HEADER, model),) if model and model.isascii() and model.isprintable() else ()


def endpoint_of(metadata: Iterable[Any]) -> str:
    """Returns the server that an answer's header names; "" if none."""
    for key, value in metadata or ():
        if key == ENDPOINT_HEADER:
            return str(value)
    return ""
