import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from modelgateway.v1 import common_pb2 as _common_pb2
from modelgateway.v1 import transcription_pb2 as _transcription_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PronunciationErrorType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRONUNCIATION_ERROR_TYPE_UNSPECIFIED: _ClassVar[PronunciationErrorType]
    PRONUNCIATION_ERROR_TYPE_NONE: _ClassVar[PronunciationErrorType]
    PRONUNCIATION_ERROR_TYPE_MISPRONUNCIATION: _ClassVar[PronunciationErrorType]
    PRONUNCIATION_ERROR_TYPE_OMISSION: _ClassVar[PronunciationErrorType]
    PRONUNCIATION_ERROR_TYPE_INSERTION: _ClassVar[PronunciationErrorType]

class PronunciationUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRONUNCIATION_UNIT_UNSPECIFIED: _ClassVar[PronunciationUnit]
    PRONUNCIATION_UNIT_LETTER: _ClassVar[PronunciationUnit]
    PRONUNCIATION_UNIT_PHONEME: _ClassVar[PronunciationUnit]
PRONUNCIATION_ERROR_TYPE_UNSPECIFIED: PronunciationErrorType
PRONUNCIATION_ERROR_TYPE_NONE: PronunciationErrorType
PRONUNCIATION_ERROR_TYPE_MISPRONUNCIATION: PronunciationErrorType
PRONUNCIATION_ERROR_TYPE_OMISSION: PronunciationErrorType
PRONUNCIATION_ERROR_TYPE_INSERTION: PronunciationErrorType
PRONUNCIATION_UNIT_UNSPECIFIED: PronunciationUnit
PRONUNCIATION_UNIT_LETTER: PronunciationUnit
PRONUNCIATION_UNIT_PHONEME: PronunciationUnit

class PronunciationRequest(_message.Message):
    __slots__ = ("format", "audio", "reference_text", "model", "routing")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    format: _transcription_pb2.AudioFormat
    audio: bytes
    reference_text: str
    model: str
    routing: _common_pb2.Routing
    def __init__(self, format: _Optional[_Union[_transcription_pb2.AudioFormat, _Mapping]] = ..., audio: _Optional[bytes] = ..., reference_text: _Optional[str] = ..., model: _Optional[str] = ..., routing: _Optional[_Union[_common_pb2.Routing, _Mapping]] = ...) -> None: ...

class PronouncedUnit(_message.Message):
    __slots__ = ("symbol", "score", "start", "end", "heard")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    score: float
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    heard: str
    def __init__(self, symbol: _Optional[str] = ..., score: _Optional[float] = ..., start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., heard: _Optional[str] = ...) -> None: ...

class PronouncedWord(_message.Message):
    __slots__ = ("text", "score", "start", "end", "error_type", "units")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    text: str
    score: float
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    error_type: PronunciationErrorType
    units: _containers.RepeatedCompositeFieldContainer[PronouncedUnit]
    def __init__(self, text: _Optional[str] = ..., score: _Optional[float] = ..., start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., error_type: _Optional[_Union[PronunciationErrorType, str]] = ..., units: _Optional[_Iterable[_Union[PronouncedUnit, _Mapping]]] = ...) -> None: ...

class PronunciationResponse(_message.Message):
    __slots__ = ("overall_score", "accuracy_score", "fluency_score", "completeness_score", "words", "unit", "estimated", "served_by", "audio_duration")
    OVERALL_SCORE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_SCORE_FIELD_NUMBER: _ClassVar[int]
    FLUENCY_SCORE_FIELD_NUMBER: _ClassVar[int]
    COMPLETENESS_SCORE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    AUDIO_DURATION_FIELD_NUMBER: _ClassVar[int]
    overall_score: float
    accuracy_score: float
    fluency_score: float
    completeness_score: float
    words: _containers.RepeatedCompositeFieldContainer[PronouncedWord]
    unit: PronunciationUnit
    estimated: bool
    served_by: _common_pb2.ServedBy
    audio_duration: _duration_pb2.Duration
    def __init__(self, overall_score: _Optional[float] = ..., accuracy_score: _Optional[float] = ..., fluency_score: _Optional[float] = ..., completeness_score: _Optional[float] = ..., words: _Optional[_Iterable[_Union[PronouncedWord, _Mapping]]] = ..., unit: _Optional[_Union[PronunciationUnit, str]] = ..., estimated: _Optional[bool] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ..., audio_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
