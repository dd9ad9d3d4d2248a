import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from modelgateway.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("version", "uptime", "total_request_count", "memory_budget_bytes", "memory_used_bytes", "cpu_threads_used", "cpu_threads_total", "draining", "models", "instance")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_REQUEST_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BUDGET_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_THREADS_USED_FIELD_NUMBER: _ClassVar[int]
    CPU_THREADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    version: str
    uptime: _duration_pb2.Duration
    total_request_count: int
    memory_budget_bytes: int
    memory_used_bytes: int
    cpu_threads_used: int
    cpu_threads_total: int
    draining: bool
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.Model]
    instance: str
    def __init__(self, version: _Optional[str] = ..., uptime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., total_request_count: _Optional[int] = ..., memory_budget_bytes: _Optional[int] = ..., memory_used_bytes: _Optional[int] = ..., cpu_threads_used: _Optional[int] = ..., cpu_threads_total: _Optional[int] = ..., draining: _Optional[bool] = ..., models: _Optional[_Iterable[_Union[_model_pb2.Model, _Mapping]]] = ..., instance: _Optional[str] = ...) -> None: ...
