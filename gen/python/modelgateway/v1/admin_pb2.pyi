import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelgateway.v1 import common_pb2 as _common_pb2
from modelgateway.v1 import errors_pb2 as _errors_pb2
from modelgateway.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoadOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOAD_OUTCOME_UNSPECIFIED: _ClassVar[LoadOutcome]
    LOAD_OUTCOME_ALREADY_LOADED: _ClassVar[LoadOutcome]
    LOAD_OUTCOME_FITS: _ClassVar[LoadOutcome]
    LOAD_OUTCOME_FITS_AFTER_EVICTION: _ClassVar[LoadOutcome]
    LOAD_OUTCOME_MUST_WAIT: _ClassVar[LoadOutcome]
    LOAD_OUTCOME_NEVER_FITS: _ClassVar[LoadOutcome]
LOAD_OUTCOME_UNSPECIFIED: LoadOutcome
LOAD_OUTCOME_ALREADY_LOADED: LoadOutcome
LOAD_OUTCOME_FITS: LoadOutcome
LOAD_OUTCOME_FITS_AFTER_EVICTION: LoadOutcome
LOAD_OUTCOME_MUST_WAIT: LoadOutcome
LOAD_OUTCOME_NEVER_FITS: LoadOutcome

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "object", "data")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.Model]
    object: str
    data: _containers.RepeatedCompositeFieldContainer[ListedModel]
    def __init__(self, models: _Optional[_Iterable[_Union[_model_pb2.Model, _Mapping]]] = ..., object: _Optional[str] = ..., data: _Optional[_Iterable[_Union[ListedModel, _Mapping]]] = ...) -> None: ...

class ListedModel(_message.Message):
    __slots__ = ("id", "object", "created", "owned_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    OWNED_BY_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    created: int
    owned_by: str
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., created: _Optional[int] = ..., owned_by: _Optional[str] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model", "id", "object", "created", "owned_by")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    OWNED_BY_FIELD_NUMBER: _ClassVar[int]
    model: _model_pb2.Model
    id: str
    object: str
    created: int
    owned_by: str
    def __init__(self, model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ..., id: _Optional[str] = ..., object: _Optional[str] = ..., created: _Optional[int] = ..., owned_by: _Optional[str] = ...) -> None: ...

class LoadModelRequest(_message.Message):
    __slots__ = ("name", "pin", "priority")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PIN_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    pin: bool
    priority: _common_pb2.Priority
    def __init__(self, name: _Optional[str] = ..., pin: _Optional[bool] = ..., priority: _Optional[_Union[_common_pb2.Priority, str]] = ...) -> None: ...

class LoadModelResponse(_message.Message):
    __slots__ = ("state", "progress", "expected_remaining", "model")
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REMAINING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    state: _model_pb2.ModelState
    progress: float
    expected_remaining: _duration_pb2.Duration
    model: _model_pb2.Model
    def __init__(self, state: _Optional[_Union[_model_pb2.ModelState, str]] = ..., progress: _Optional[float] = ..., expected_remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ...) -> None: ...

class UnloadModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UnloadModelResponse(_message.Message):
    __slots__ = ("model", "freed_bytes")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FREED_BYTES_FIELD_NUMBER: _ClassVar[int]
    model: _model_pb2.Model
    freed_bytes: int
    def __init__(self, model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ..., freed_bytes: _Optional[int] = ...) -> None: ...

class PlanLoadRequest(_message.Message):
    __slots__ = ("name", "priority")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    priority: _common_pb2.Priority
    def __init__(self, name: _Optional[str] = ..., priority: _Optional[_Union[_common_pb2.Priority, str]] = ...) -> None: ...

class PlannedEviction(_message.Message):
    __slots__ = ("name", "freed_bytes", "why")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FREED_BYTES_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    name: str
    freed_bytes: int
    why: str
    def __init__(self, name: _Optional[str] = ..., freed_bytes: _Optional[int] = ..., why: _Optional[str] = ...) -> None: ...

class KeptModel(_message.Message):
    __slots__ = ("name", "charged_bytes", "why")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CHARGED_BYTES_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    name: str
    charged_bytes: int
    why: str
    def __init__(self, name: _Optional[str] = ..., charged_bytes: _Optional[int] = ..., why: _Optional[str] = ...) -> None: ...

class PlanLoadResponse(_message.Message):
    __slots__ = ("outcome", "required_bytes", "required_source", "free_bytes", "budget_bytes", "evictions", "kept", "expected_load_duration", "explanation")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_BYTES_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_SOURCE_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    BUDGET_BYTES_FIELD_NUMBER: _ClassVar[int]
    EVICTIONS_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_LOAD_DURATION_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    outcome: LoadOutcome
    required_bytes: int
    required_source: str
    free_bytes: int
    budget_bytes: int
    evictions: _containers.RepeatedCompositeFieldContainer[PlannedEviction]
    kept: _containers.RepeatedCompositeFieldContainer[KeptModel]
    expected_load_duration: _duration_pb2.Duration
    explanation: str
    def __init__(self, outcome: _Optional[_Union[LoadOutcome, str]] = ..., required_bytes: _Optional[int] = ..., required_source: _Optional[str] = ..., free_bytes: _Optional[int] = ..., budget_bytes: _Optional[int] = ..., evictions: _Optional[_Iterable[_Union[PlannedEviction, _Mapping]]] = ..., kept: _Optional[_Iterable[_Union[KeptModel, _Mapping]]] = ..., expected_load_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., explanation: _Optional[str] = ...) -> None: ...

class WatchModelsRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchModelsResponse(_message.Message):
    __slots__ = ("time", "name", "from_state", "to_state", "eviction_reason", "error_reason", "detail", "charged_bytes", "dropped_count")
    TIME_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FROM_STATE_FIELD_NUMBER: _ClassVar[int]
    TO_STATE_FIELD_NUMBER: _ClassVar[int]
    EVICTION_REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CHARGED_BYTES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    name: str
    from_state: _model_pb2.ModelState
    to_state: _model_pb2.ModelState
    eviction_reason: _model_pb2.EvictionReason
    error_reason: _errors_pb2.ErrorReason
    detail: str
    charged_bytes: int
    dropped_count: int
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., from_state: _Optional[_Union[_model_pb2.ModelState, str]] = ..., to_state: _Optional[_Union[_model_pb2.ModelState, str]] = ..., eviction_reason: _Optional[_Union[_model_pb2.EvictionReason, str]] = ..., error_reason: _Optional[_Union[_errors_pb2.ErrorReason, str]] = ..., detail: _Optional[str] = ..., charged_bytes: _Optional[int] = ..., dropped_count: _Optional[int] = ...) -> None: ...
