from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_CONFIG_NOT_FIRST: _ClassVar[ErrorReason]
    ERROR_REASON_AUDIO_UNREADABLE: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TASK_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_EXCEEDS_BUDGET: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_FILE_MISSING: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_FILE_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_ENGINE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_MEMORY_BUSY: _ClassVar[ErrorReason]
    ERROR_REASON_QUEUE_FULL: _ClassVar[ErrorReason]
    ERROR_REASON_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_ENGINE_CRASHED: _ClassVar[ErrorReason]
    ERROR_REASON_LOAD_COOLDOWN: _ClassVar[ErrorReason]
    ERROR_REASON_DRAINING: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_FORBIDDEN: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELLED: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_CONFIG_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_SESSION_LOST: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_CONFIG_NOT_FIRST: ErrorReason
ERROR_REASON_AUDIO_UNREADABLE: ErrorReason
ERROR_REASON_MODEL_NOT_FOUND: ErrorReason
ERROR_REASON_TASK_UNKNOWN: ErrorReason
ERROR_REASON_MODEL_EXCEEDS_BUDGET: ErrorReason
ERROR_REASON_MODEL_FILE_MISSING: ErrorReason
ERROR_REASON_MODEL_FILE_INVALID: ErrorReason
ERROR_REASON_ENGINE_UNAVAILABLE: ErrorReason
ERROR_REASON_MEMORY_BUSY: ErrorReason
ERROR_REASON_QUEUE_FULL: ErrorReason
ERROR_REASON_RATE_LIMITED: ErrorReason
ERROR_REASON_ENGINE_CRASHED: ErrorReason
ERROR_REASON_LOAD_COOLDOWN: ErrorReason
ERROR_REASON_DRAINING: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_FORBIDDEN: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_CANCELLED: ErrorReason
ERROR_REASON_MODEL_CONFIG_INVALID: ErrorReason
ERROR_REASON_SESSION_LOST: ErrorReason
