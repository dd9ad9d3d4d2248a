"""The Python client of a ModelGateway server.

    with modelgateway.Client() as client:
        for piece in client.stream_chat("Hello"):
            print(piece, end="", flush=True)

AsyncClient is the same for asyncio. modelgateway.compat has the functions of
the Python gateway, modelgateway.engine is the SDK for engines in Python, and
modelgateway.v1 contains the generated messages.
"""

from . import audio
from ._async import AsyncChatStream, AsyncSpeechStream, AsyncTranscriptionStream
from ._async_open import AsyncOpenTranscription
from ._calls import DEFAULT_ADDRESS, Retry
from ._open import OpenTranscription
from ._results import TaskResult
from ._sync import ChatStream, SpeechStream, TranscriptionStream
from .aio import AsyncClient
from .audio import Wav
from .client import Client
from .errors import (
    AudioUnreadable,
    Cancelled,
    ConfigNotFirst,
    DeadlineExceeded,
    Draining,
    EngineCrashed,
    EngineUnavailable,
    Forbidden,
    Internal,
    InvalidRequest,
    LoadCooldown,
    MemoryBusy,
    ModelExceedsBudget,
    ModelConfigInvalid,
    ModelFileInvalid,
    ModelFileMissing,
    ModelGatewayError,
    ModelNotFound,
    QueueFull,
    RateLimited,
    ServerUnreachable,
    SessionLost,
    TaskUnknown,
    Unauthenticated,
)

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_ADDRESS",
    "AsyncChatStream",
    "AsyncClient",
    "AsyncOpenTranscription",
    "AsyncSpeechStream",
    "AsyncTranscriptionStream",
    "AudioUnreadable",
    "Cancelled",
    "ChatStream",
    "Client",
    "ConfigNotFirst",
    "DeadlineExceeded",
    "Draining",
    "EngineCrashed",
    "EngineUnavailable",
    "Forbidden",
    "Internal",
    "InvalidRequest",
    "LoadCooldown",
    "MemoryBusy",
    "ModelExceedsBudget",
    "ModelConfigInvalid",
    "ModelFileInvalid",
    "ModelFileMissing",
    "ModelGatewayError",
    "ModelNotFound",
    "OpenTranscription",
    "QueueFull",
    "RateLimited",
    "Retry",
    "ServerUnreachable",
    "SessionLost",
    "SpeechStream",
    "TaskResult",
    "TaskUnknown",
    "TranscriptionStream",
    "Unauthenticated",
    "Wav",
    "audio",
]
