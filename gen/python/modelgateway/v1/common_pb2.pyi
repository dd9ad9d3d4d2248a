import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_LOW: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_HIGH: _ClassVar[Priority]
    PRIORITY_CRITICAL: _ClassVar[Priority]

class FallbackReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FALLBACK_REASON_UNSPECIFIED: _ClassVar[FallbackReason]
    FALLBACK_REASON_MODEL_FILE_MISSING: _ClassVar[FallbackReason]
    FALLBACK_REASON_MODEL_FILE_INVALID: _ClassVar[FallbackReason]
    FALLBACK_REASON_ENGINE_UNAVAILABLE: _ClassVar[FallbackReason]
    FALLBACK_REASON_MODEL_EXCEEDS_BUDGET: _ClassVar[FallbackReason]
    FALLBACK_REASON_MEMORY_BUSY: _ClassVar[FallbackReason]
    FALLBACK_REASON_QUEUE_FULL: _ClassVar[FallbackReason]
    FALLBACK_REASON_ENGINE_CRASHED: _ClassVar[FallbackReason]
    FALLBACK_REASON_LOAD_COOLDOWN: _ClassVar[FallbackReason]
    FALLBACK_REASON_DEADLINE: _ClassVar[FallbackReason]
    FALLBACK_REASON_BREAKER_OPEN: _ClassVar[FallbackReason]
    FALLBACK_REASON_RATE_LIMITED: _ClassVar[FallbackReason]
    FALLBACK_REASON_INTERNAL: _ClassVar[FallbackReason]
    FALLBACK_REASON_MODEL_CONFIG_INVALID: _ClassVar[FallbackReason]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_SAFETY: _ClassVar[FinishReason]
    FINISH_REASON_TOOL_CALLS: _ClassVar[FinishReason]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_LOW: Priority
PRIORITY_NORMAL: Priority
PRIORITY_HIGH: Priority
PRIORITY_CRITICAL: Priority
FALLBACK_REASON_UNSPECIFIED: FallbackReason
FALLBACK_REASON_MODEL_FILE_MISSING: FallbackReason
FALLBACK_REASON_MODEL_FILE_INVALID: FallbackReason
FALLBACK_REASON_ENGINE_UNAVAILABLE: FallbackReason
FALLBACK_REASON_MODEL_EXCEEDS_BUDGET: FallbackReason
FALLBACK_REASON_MEMORY_BUSY: FallbackReason
FALLBACK_REASON_QUEUE_FULL: FallbackReason
FALLBACK_REASON_ENGINE_CRASHED: FallbackReason
FALLBACK_REASON_LOAD_COOLDOWN: FallbackReason
FALLBACK_REASON_DEADLINE: FallbackReason
FALLBACK_REASON_BREAKER_OPEN: FallbackReason
FALLBACK_REASON_RATE_LIMITED: FallbackReason
FALLBACK_REASON_INTERNAL: FallbackReason
FALLBACK_REASON_MODEL_CONFIG_INVALID: FallbackReason
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_SAFETY: FinishReason
FINISH_REASON_TOOL_CALLS: FinishReason

class Routing(_message.Message):
    __slots__ = ("local_only", "no_fallback", "priority")
    LOCAL_ONLY_FIELD_NUMBER: _ClassVar[int]
    NO_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    local_only: bool
    no_fallback: bool
    priority: Priority
    def __init__(self, local_only: _Optional[bool] = ..., no_fallback: _Optional[bool] = ..., priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class ServedBy(_message.Message):
    __slots__ = ("model", "engine", "fallback", "fallback_reason", "queue_duration", "load_duration", "inference_duration", "warning", "instance")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_REASON_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DURATION_FIELD_NUMBER: _ClassVar[int]
    LOAD_DURATION_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_DURATION_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    model: str
    engine: str
    fallback: bool
    fallback_reason: FallbackReason
    queue_duration: _duration_pb2.Duration
    load_duration: _duration_pb2.Duration
    inference_duration: _duration_pb2.Duration
    warning: str
    instance: str
    def __init__(self, model: _Optional[str] = ..., engine: _Optional[str] = ..., fallback: _Optional[bool] = ..., fallback_reason: _Optional[_Union[FallbackReason, str]] = ..., queue_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., load_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., inference_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., warning: _Optional[str] = ..., instance: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("prompt_token_count", "cached_prompt_token_count", "completion_token_count", "reasoning_token_count")
    PROMPT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CACHED_PROMPT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    prompt_token_count: int
    cached_prompt_token_count: int
    completion_token_count: int
    reasoning_token_count: int
    def __init__(self, prompt_token_count: _Optional[int] = ..., cached_prompt_token_count: _Optional[int] = ..., completion_token_count: _Optional[int] = ..., reasoning_token_count: _Optional[int] = ...) -> None: ...

class SamplingOptions(_message.Message):
    __slots__ = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty", "seed", "max_tokens", "stop")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    REPEAT_PENALTY_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repeat_penalty: float
    presence_penalty: float
    frequency_penalty: float
    seed: int
    max_tokens: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., top_k: _Optional[int] = ..., min_p: _Optional[float] = ..., repeat_penalty: _Optional[float] = ..., presence_penalty: _Optional[float] = ..., frequency_penalty: _Optional[float] = ..., seed: _Optional[int] = ..., max_tokens: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ...) -> None: ...
