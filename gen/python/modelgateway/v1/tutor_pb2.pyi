from modelgateway.v1 import chat_pb2 as _chat_pb2
from modelgateway.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplanationLanguage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLANATION_LANGUAGE_UNSPECIFIED: _ClassVar[ExplanationLanguage]
    EXPLANATION_LANGUAGE_ENGLISH: _ClassVar[ExplanationLanguage]
    EXPLANATION_LANGUAGE_VIETNAMESE: _ClassVar[ExplanationLanguage]

class GrammarErrorType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRAMMAR_ERROR_TYPE_UNSPECIFIED: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_AGREEMENT: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_VERB_TENSE: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_ARTICLE: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_PREPOSITION: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_NOUN_NUMBER: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_WORD_ORDER: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_WORD_CHOICE: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_SPELLING: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_PUNCTUATION: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_MISSING_WORD: _ClassVar[GrammarErrorType]
    GRAMMAR_ERROR_TYPE_EXTRA_WORD: _ClassVar[GrammarErrorType]
EXPLANATION_LANGUAGE_UNSPECIFIED: ExplanationLanguage
EXPLANATION_LANGUAGE_ENGLISH: ExplanationLanguage
EXPLANATION_LANGUAGE_VIETNAMESE: ExplanationLanguage
GRAMMAR_ERROR_TYPE_UNSPECIFIED: GrammarErrorType
GRAMMAR_ERROR_TYPE_AGREEMENT: GrammarErrorType
GRAMMAR_ERROR_TYPE_VERB_TENSE: GrammarErrorType
GRAMMAR_ERROR_TYPE_ARTICLE: GrammarErrorType
GRAMMAR_ERROR_TYPE_PREPOSITION: GrammarErrorType
GRAMMAR_ERROR_TYPE_NOUN_NUMBER: GrammarErrorType
GRAMMAR_ERROR_TYPE_WORD_ORDER: GrammarErrorType
GRAMMAR_ERROR_TYPE_WORD_CHOICE: GrammarErrorType
GRAMMAR_ERROR_TYPE_SPELLING: GrammarErrorType
GRAMMAR_ERROR_TYPE_PUNCTUATION: GrammarErrorType
GRAMMAR_ERROR_TYPE_MISSING_WORD: GrammarErrorType
GRAMMAR_ERROR_TYPE_EXTRA_WORD: GrammarErrorType

class GrammarRequest(_message.Message):
    __slots__ = ("text", "explanation_language", "sampling", "model", "routing")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    text: str
    explanation_language: ExplanationLanguage
    sampling: _common_pb2.SamplingOptions
    model: str
    routing: _common_pb2.Routing
    def __init__(self, text: _Optional[str] = ..., explanation_language: _Optional[_Union[ExplanationLanguage, str]] = ..., sampling: _Optional[_Union[_common_pb2.SamplingOptions, _Mapping]] = ..., model: _Optional[str] = ..., routing: _Optional[_Union[_common_pb2.Routing, _Mapping]] = ...) -> None: ...

class GrammarEdit(_message.Message):
    __slots__ = ("start_offset", "end_offset", "original", "replacement", "error_type", "explanation")
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    start_offset: int
    end_offset: int
    original: str
    replacement: str
    error_type: GrammarErrorType
    explanation: str
    def __init__(self, start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., original: _Optional[str] = ..., replacement: _Optional[str] = ..., error_type: _Optional[_Union[GrammarErrorType, str]] = ..., explanation: _Optional[str] = ...) -> None: ...

class GrammarResponse(_message.Message):
    __slots__ = ("corrected_text", "edits", "score", "usage", "served_by")
    CORRECTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    corrected_text: str
    edits: _containers.RepeatedCompositeFieldContainer[GrammarEdit]
    score: float
    usage: _common_pb2.Usage
    served_by: _common_pb2.ServedBy
    def __init__(self, corrected_text: _Optional[str] = ..., edits: _Optional[_Iterable[_Union[GrammarEdit, _Mapping]]] = ..., score: _Optional[float] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ...) -> None: ...

class RespondRequest(_message.Message):
    __slots__ = ("text", "history", "level", "system_prompt", "sampling", "model", "routing")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    text: str
    history: _containers.RepeatedCompositeFieldContainer[_chat_pb2.ChatMessage]
    level: str
    system_prompt: str
    sampling: _common_pb2.SamplingOptions
    model: str
    routing: _common_pb2.Routing
    def __init__(self, text: _Optional[str] = ..., history: _Optional[_Iterable[_Union[_chat_pb2.ChatMessage, _Mapping]]] = ..., level: _Optional[str] = ..., system_prompt: _Optional[str] = ..., sampling: _Optional[_Union[_common_pb2.SamplingOptions, _Mapping]] = ..., model: _Optional[str] = ..., routing: _Optional[_Union[_common_pb2.Routing, _Mapping]] = ...) -> None: ...

class RespondResponse(_message.Message):
    __slots__ = ("text", "finish_reason", "usage", "served_by")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    text: str
    finish_reason: _common_pb2.FinishReason
    usage: _common_pb2.Usage
    served_by: _common_pb2.ServedBy
    def __init__(self, text: _Optional[str] = ..., finish_reason: _Optional[_Union[_common_pb2.FinishReason, str]] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ...) -> None: ...

class ExplainVietnameseRequest(_message.Message):
    __slots__ = ("text", "question", "sampling", "model", "routing")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    text: str
    question: str
    sampling: _common_pb2.SamplingOptions
    model: str
    routing: _common_pb2.Routing
    def __init__(self, text: _Optional[str] = ..., question: _Optional[str] = ..., sampling: _Optional[_Union[_common_pb2.SamplingOptions, _Mapping]] = ..., model: _Optional[str] = ..., routing: _Optional[_Union[_common_pb2.Routing, _Mapping]] = ...) -> None: ...

class ExplainVietnameseResponse(_message.Message):
    __slots__ = ("explanation", "finish_reason", "usage", "served_by")
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    explanation: str
    finish_reason: _common_pb2.FinishReason
    usage: _common_pb2.Usage
    served_by: _common_pb2.ServedBy
    def __init__(self, explanation: _Optional[str] = ..., finish_reason: _Optional[_Union[_common_pb2.FinishReason, str]] = ..., usage: _Optional[_Union[_common_pb2.Usage, _Mapping]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ...) -> None: ...
