from google.protobuf import struct_pb2 as _struct_pb2
from modelgateway.v1 import chat_pb2 as _chat_pb2
from modelgateway.v1 import pronunciation_pb2 as _pronunciation_pb2
from modelgateway.v1 import synthesis_pb2 as _synthesis_pb2
from modelgateway.v1 import transcription_pb2 as _transcription_pb2
from modelgateway.v1 import tutor_pb2 as _tutor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Task(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_UNSPECIFIED: _ClassVar[Task]
    TASK_CHAT: _ClassVar[Task]
    TASK_GRAMMAR: _ClassVar[Task]
    TASK_RESPOND: _ClassVar[Task]
    TASK_EXPLAIN_VIETNAMESE: _ClassVar[Task]
    TASK_TRANSCRIBE: _ClassVar[Task]
    TASK_SYNTHESIZE: _ClassVar[Task]
    TASK_PRONUNCIATION: _ClassVar[Task]
    TASK_INVOKE: _ClassVar[Task]
TASK_UNSPECIFIED: Task
TASK_CHAT: Task
TASK_GRAMMAR: Task
TASK_RESPOND: Task
TASK_EXPLAIN_VIETNAMESE: Task
TASK_TRANSCRIBE: Task
TASK_SYNTHESIZE: Task
TASK_PRONUNCIATION: Task
TASK_INVOKE: Task

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("name", "version", "tasks", "libraries", "devices")
    class LibrariesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    LIBRARIES_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    tasks: _containers.RepeatedScalarFieldContainer[Task]
    libraries: _containers.ScalarMap[str, str]
    devices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., tasks: _Optional[_Iterable[_Union[Task, str]]] = ..., libraries: _Optional[_Mapping[str, str]] = ..., devices: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("work_count", "active_run_count")
    WORK_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    work_count: int
    active_run_count: int
    def __init__(self, work_count: _Optional[int] = ..., active_run_count: _Optional[int] = ...) -> None: ...

class LoadRequest(_message.Message):
    __slots__ = ("model_name", "path", "device", "thread_count", "max_concurrency", "parameters")
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    THREAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    model_name: str
    path: str
    device: str
    thread_count: int
    max_concurrency: int
    parameters: _struct_pb2.Struct
    def __init__(self, model_name: _Optional[str] = ..., path: _Optional[str] = ..., device: _Optional[str] = ..., thread_count: _Optional[int] = ..., max_concurrency: _Optional[int] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class LoadResponse(_message.Message):
    __slots__ = ("progress", "ready", "description", "tasks")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    progress: float
    ready: bool
    description: str
    tasks: _containers.RepeatedScalarFieldContainer[Task]
    def __init__(self, progress: _Optional[float] = ..., ready: _Optional[bool] = ..., description: _Optional[str] = ..., tasks: _Optional[_Iterable[_Union[Task, str]]] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("chat", "grammar", "respond", "explain_vietnamese", "transcribe", "audio", "synthesize", "pronunciation", "invoke")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    RESPOND_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_VIETNAMESE_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIBE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SYNTHESIZE_FIELD_NUMBER: _ClassVar[int]
    PRONUNCIATION_FIELD_NUMBER: _ClassVar[int]
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    chat: _chat_pb2.ChatRequest
    grammar: _tutor_pb2.GrammarRequest
    respond: _tutor_pb2.RespondRequest
    explain_vietnamese: _tutor_pb2.ExplainVietnameseRequest
    transcribe: _transcription_pb2.TranscriptionConfig
    audio: bytes
    synthesize: _synthesis_pb2.SynthesizeRequest
    pronunciation: _pronunciation_pb2.PronunciationRequest
    invoke: InvokeTask
    def __init__(self, chat: _Optional[_Union[_chat_pb2.ChatRequest, _Mapping]] = ..., grammar: _Optional[_Union[_tutor_pb2.GrammarRequest, _Mapping]] = ..., respond: _Optional[_Union[_tutor_pb2.RespondRequest, _Mapping]] = ..., explain_vietnamese: _Optional[_Union[_tutor_pb2.ExplainVietnameseRequest, _Mapping]] = ..., transcribe: _Optional[_Union[_transcription_pb2.TranscriptionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ..., synthesize: _Optional[_Union[_synthesis_pb2.SynthesizeRequest, _Mapping]] = ..., pronunciation: _Optional[_Union[_pronunciation_pb2.PronunciationRequest, _Mapping]] = ..., invoke: _Optional[_Union[InvokeTask, _Mapping]] = ...) -> None: ...

class InvokeTask(_message.Message):
    __slots__ = ("method", "params")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    method: str
    params: _struct_pb2.Struct
    def __init__(self, method: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class RunResponse(_message.Message):
    __slots__ = ("chat", "grammar", "respond", "explain_vietnamese", "transcribe", "synthesize", "pronunciation", "invoke")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    RESPOND_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_VIETNAMESE_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIBE_FIELD_NUMBER: _ClassVar[int]
    SYNTHESIZE_FIELD_NUMBER: _ClassVar[int]
    PRONUNCIATION_FIELD_NUMBER: _ClassVar[int]
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    chat: _chat_pb2.StreamChatResponse
    grammar: _tutor_pb2.GrammarResponse
    respond: _tutor_pb2.RespondResponse
    explain_vietnamese: _tutor_pb2.ExplainVietnameseResponse
    transcribe: _transcription_pb2.TranscriptionEvent
    synthesize: _synthesis_pb2.SynthesizeResponse
    pronunciation: _pronunciation_pb2.PronunciationResponse
    invoke: _struct_pb2.Struct
    def __init__(self, chat: _Optional[_Union[_chat_pb2.StreamChatResponse, _Mapping]] = ..., grammar: _Optional[_Union[_tutor_pb2.GrammarResponse, _Mapping]] = ..., respond: _Optional[_Union[_tutor_pb2.RespondResponse, _Mapping]] = ..., explain_vietnamese: _Optional[_Union[_tutor_pb2.ExplainVietnameseResponse, _Mapping]] = ..., transcribe: _Optional[_Union[_transcription_pb2.TranscriptionEvent, _Mapping]] = ..., synthesize: _Optional[_Union[_synthesis_pb2.SynthesizeResponse, _Mapping]] = ..., pronunciation: _Optional[_Union[_pronunciation_pb2.PronunciationResponse, _Mapping]] = ..., invoke: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
