import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelgateway.v1 import common_pb2 as _common_pb2
from modelgateway.v1 import errors_pb2 as _errors_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_UNLOADED: _ClassVar[ModelState]
    MODEL_STATE_LOADING: _ClassVar[ModelState]
    MODEL_STATE_READY: _ClassVar[ModelState]
    MODEL_STATE_DRAINING: _ClassVar[ModelState]
    MODEL_STATE_FAILED: _ClassVar[ModelState]

class EvictionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVICTION_REASON_UNSPECIFIED: _ClassVar[EvictionReason]
    EVICTION_REASON_IDLE: _ClassVar[EvictionReason]
    EVICTION_REASON_PRESSURE: _ClassVar[EvictionReason]
    EVICTION_REASON_OVER_BUDGET: _ClassVar[EvictionReason]
    EVICTION_REASON_REQUESTED: _ClassVar[EvictionReason]
    EVICTION_REASON_CRASHED: _ClassVar[EvictionReason]
    EVICTION_REASON_HUNG: _ClassVar[EvictionReason]
    EVICTION_REASON_SHUTDOWN: _ClassVar[EvictionReason]
    EVICTION_REASON_OUT_OF_MEMORY: _ClassVar[EvictionReason]

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_UNLOADED: ModelState
MODEL_STATE_LOADING: ModelState
MODEL_STATE_READY: ModelState
MODEL_STATE_DRAINING: ModelState
MODEL_STATE_FAILED: ModelState
EVICTION_REASON_UNSPECIFIED: EvictionReason
EVICTION_REASON_IDLE: EvictionReason
EVICTION_REASON_PRESSURE: EvictionReason
EVICTION_REASON_OVER_BUDGET: EvictionReason
EVICTION_REASON_REQUESTED: EvictionReason
EVICTION_REASON_CRASHED: EvictionReason
EVICTION_REASON_HUNG: EvictionReason
EVICTION_REASON_SHUTDOWN: EvictionReason
EVICTION_REASON_OUT_OF_MEMORY: EvictionReason
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState

class ModelMemory(_message.Message):
    __slots__ = ("declared_bytes", "estimated_bytes", "learned_bytes", "reserved_bytes", "measured_bytes", "peak_bytes", "charged_bytes")
    DECLARED_BYTES_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEARNED_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESERVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEASURED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PEAK_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHARGED_BYTES_FIELD_NUMBER: _ClassVar[int]
    declared_bytes: int
    estimated_bytes: int
    learned_bytes: int
    reserved_bytes: int
    measured_bytes: int
    peak_bytes: int
    charged_bytes: int
    def __init__(self, declared_bytes: _Optional[int] = ..., estimated_bytes: _Optional[int] = ..., learned_bytes: _Optional[int] = ..., reserved_bytes: _Optional[int] = ..., measured_bytes: _Optional[int] = ..., peak_bytes: _Optional[int] = ..., charged_bytes: _Optional[int] = ...) -> None: ...

class Eviction(_message.Message):
    __slots__ = ("reason", "time", "requested_by", "detail")
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    reason: EvictionReason
    time: _timestamp_pb2.Timestamp
    requested_by: str
    detail: str
    def __init__(self, reason: _Optional[_Union[EvictionReason, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., requested_by: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class LoadFailure(_message.Message):
    __slots__ = ("reason", "message", "time", "retry_time", "consecutive_count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    RETRY_TIME_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: _errors_pb2.ErrorReason
    message: str
    time: _timestamp_pb2.Timestamp
    retry_time: _timestamp_pb2.Timestamp
    consecutive_count: int
    def __init__(self, reason: _Optional[_Union[_errors_pb2.ErrorReason, str]] = ..., message: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retry_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consecutive_count: _Optional[int] = ...) -> None: ...

class Breaker(_message.Message):
    __slots__ = ("state", "consecutive_failure_count", "last_failure_reason", "retry_time")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_TIME_FIELD_NUMBER: _ClassVar[int]
    state: BreakerState
    consecutive_failure_count: int
    last_failure_reason: _errors_pb2.ErrorReason
    retry_time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[BreakerState, str]] = ..., consecutive_failure_count: _Optional[int] = ..., last_failure_reason: _Optional[_Union[_errors_pb2.ErrorReason, str]] = ..., retry_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "engine", "tasks", "state", "load_progress", "expected_load_duration", "memory", "priority", "pinned", "idle_timeout", "idle_remaining", "active_count", "queued_count", "request_count", "error_count", "average_latency", "last_used_time", "load_count", "last_eviction", "failure", "eviction_rank", "worker_pid", "note", "breaker")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LOAD_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_LOAD_DURATION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    IDLE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    IDLE_REMAINING_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUEUED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_LATENCY_FIELD_NUMBER: _ClassVar[int]
    LAST_USED_TIME_FIELD_NUMBER: _ClassVar[int]
    LOAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_EVICTION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    EVICTION_RANK_FIELD_NUMBER: _ClassVar[int]
    WORKER_PID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    name: str
    engine: str
    tasks: _containers.RepeatedScalarFieldContainer[str]
    state: ModelState
    load_progress: float
    expected_load_duration: _duration_pb2.Duration
    memory: ModelMemory
    priority: _common_pb2.Priority
    pinned: bool
    idle_timeout: _duration_pb2.Duration
    idle_remaining: _duration_pb2.Duration
    active_count: int
    queued_count: int
    request_count: int
    error_count: int
    average_latency: _duration_pb2.Duration
    last_used_time: _timestamp_pb2.Timestamp
    load_count: int
    last_eviction: Eviction
    failure: LoadFailure
    eviction_rank: int
    worker_pid: int
    note: str
    breaker: Breaker
    def __init__(self, name: _Optional[str] = ..., engine: _Optional[str] = ..., tasks: _Optional[_Iterable[str]] = ..., state: _Optional[_Union[ModelState, str]] = ..., load_progress: _Optional[float] = ..., expected_load_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., memory: _Optional[_Union[ModelMemory, _Mapping]] = ..., priority: _Optional[_Union[_common_pb2.Priority, str]] = ..., pinned: _Optional[bool] = ..., idle_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., idle_remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., active_count: _Optional[int] = ..., queued_count: _Optional[int] = ..., request_count: _Optional[int] = ..., error_count: _Optional[int] = ..., average_latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., last_used_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., load_count: _Optional[int] = ..., last_eviction: _Optional[_Union[Eviction, _Mapping]] = ..., failure: _Optional[_Union[LoadFailure, _Mapping]] = ..., eviction_rank: _Optional[int] = ..., worker_pid: _Optional[int] = ..., note: _Optional[str] = ..., breaker: _Optional[_Union[Breaker, _Mapping]] = ...) -> None: ...
