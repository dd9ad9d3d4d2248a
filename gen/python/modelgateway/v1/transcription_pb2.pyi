import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from modelgateway.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_ENCODING_UNSPECIFIED: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_PCM_S16LE: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_PCM_F32LE: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_WAV: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_FLAC: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_MP3: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_OGG_OPUS: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_WEBM_OPUS: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_MP4: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_AMR: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_AAC: _ClassVar[AudioEncoding]
AUDIO_ENCODING_UNSPECIFIED: AudioEncoding
AUDIO_ENCODING_PCM_S16LE: AudioEncoding
AUDIO_ENCODING_PCM_F32LE: AudioEncoding
AUDIO_ENCODING_WAV: AudioEncoding
AUDIO_ENCODING_FLAC: AudioEncoding
AUDIO_ENCODING_MP3: AudioEncoding
AUDIO_ENCODING_OGG_OPUS: AudioEncoding
AUDIO_ENCODING_WEBM_OPUS: AudioEncoding
AUDIO_ENCODING_MP4: AudioEncoding
AUDIO_ENCODING_AMR: AudioEncoding
AUDIO_ENCODING_AAC: AudioEncoding

class AudioFormat(_message.Message):
    __slots__ = ("encoding", "sample_rate_hertz", "channel_count")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    encoding: AudioEncoding
    sample_rate_hertz: int
    channel_count: int
    def __init__(self, encoding: _Optional[_Union[AudioEncoding, str]] = ..., sample_rate_hertz: _Optional[int] = ..., channel_count: _Optional[int] = ...) -> None: ...

class TranscriptionConfig(_message.Message):
    __slots__ = ("format", "language", "translate", "initial_prompt", "word_timestamps", "beam_size", "interim_results", "model", "routing", "resume_from")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TRANSLATE_FIELD_NUMBER: _ClassVar[int]
    INITIAL_PROMPT_FIELD_NUMBER: _ClassVar[int]
    WORD_TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    INTERIM_RESULTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    RESUME_FROM_FIELD_NUMBER: _ClassVar[int]
    format: AudioFormat
    language: str
    translate: bool
    initial_prompt: str
    word_timestamps: bool
    beam_size: int
    interim_results: bool
    model: str
    routing: _common_pb2.Routing
    resume_from: TranscriptionOffset
    def __init__(self, format: _Optional[_Union[AudioFormat, _Mapping]] = ..., language: _Optional[str] = ..., translate: _Optional[bool] = ..., initial_prompt: _Optional[str] = ..., word_timestamps: _Optional[bool] = ..., beam_size: _Optional[int] = ..., interim_results: _Optional[bool] = ..., model: _Optional[str] = ..., routing: _Optional[_Union[_common_pb2.Routing, _Mapping]] = ..., resume_from: _Optional[_Union[TranscriptionOffset, _Mapping]] = ...) -> None: ...

class TranscriptionOffset(_message.Message):
    __slots__ = ("committed_sequence", "sequence_start", "committed_time", "committed_text")
    COMMITTED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_START_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_TIME_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    committed_sequence: int
    sequence_start: _duration_pb2.Duration
    committed_time: _duration_pb2.Duration
    committed_text: str
    def __init__(self, committed_sequence: _Optional[int] = ..., sequence_start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., committed_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., committed_text: _Optional[str] = ...) -> None: ...

class TranscribedWord(_message.Message):
    __slots__ = ("text", "start", "end", "confidence")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    confidence: float
    def __init__(self, text: _Optional[str] = ..., start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., confidence: _Optional[float] = ...) -> None: ...

class TranscriptSegment(_message.Message):
    __slots__ = ("text", "start", "end", "words", "confidence")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    words: _containers.RepeatedCompositeFieldContainer[TranscribedWord]
    confidence: float
    def __init__(self, text: _Optional[str] = ..., start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., words: _Optional[_Iterable[_Union[TranscribedWord, _Mapping]]] = ..., confidence: _Optional[float] = ...) -> None: ...

class Transcript(_message.Message):
    __slots__ = ("text", "segments", "language", "language_confidence", "audio_duration", "uncertain")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_DURATION_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    text: str
    segments: _containers.RepeatedCompositeFieldContainer[TranscriptSegment]
    language: str
    language_confidence: float
    audio_duration: _duration_pb2.Duration
    uncertain: bool
    def __init__(self, text: _Optional[str] = ..., segments: _Optional[_Iterable[_Union[TranscriptSegment, _Mapping]]] = ..., language: _Optional[str] = ..., language_confidence: _Optional[float] = ..., audio_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., uncertain: _Optional[bool] = ...) -> None: ...

class InterimTranscript(_message.Message):
    __slots__ = ("committed_text", "tentative_text", "audio_processed")
    COMMITTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    TENTATIVE_TEXT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_PROCESSED_FIELD_NUMBER: _ClassVar[int]
    committed_text: str
    tentative_text: str
    audio_processed: _duration_pb2.Duration
    def __init__(self, committed_text: _Optional[str] = ..., tentative_text: _Optional[str] = ..., audio_processed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class TranscriptionEvent(_message.Message):
    __slots__ = ("interim", "segment", "final", "offset")
    INTERIM_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    interim: InterimTranscript
    segment: TranscriptSegment
    final: Transcript
    offset: TranscriptionOffset
    def __init__(self, interim: _Optional[_Union[InterimTranscript, _Mapping]] = ..., segment: _Optional[_Union[TranscriptSegment, _Mapping]] = ..., final: _Optional[_Union[Transcript, _Mapping]] = ..., offset: _Optional[_Union[TranscriptionOffset, _Mapping]] = ...) -> None: ...

class TranscribeRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: TranscriptionConfig
    audio: bytes
    def __init__(self, config: _Optional[_Union[TranscriptionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class TranscribeResponse(_message.Message):
    __slots__ = ("transcript", "served_by")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    transcript: Transcript
    served_by: _common_pb2.ServedBy
    def __init__(self, transcript: _Optional[_Union[Transcript, _Mapping]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ...) -> None: ...

class StreamTranscribeRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: TranscriptionConfig
    audio: bytes
    def __init__(self, config: _Optional[_Union[TranscriptionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class StreamTranscribeResponse(_message.Message):
    __slots__ = ("event", "served_by")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    event: TranscriptionEvent
    served_by: _common_pb2.ServedBy
    def __init__(self, event: _Optional[_Union[TranscriptionEvent, _Mapping]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ...) -> None: ...

class OpenTranscriptionRequest(_message.Message):
    __slots__ = ("config", "session_id", "last_event_sequence")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    config: TranscriptionConfig
    session_id: str
    last_event_sequence: int
    def __init__(self, config: _Optional[_Union[TranscriptionConfig, _Mapping]] = ..., session_id: _Optional[str] = ..., last_event_sequence: _Optional[int] = ...) -> None: ...

class OpenTranscriptionResponse(_message.Message):
    __slots__ = ("session_id", "event_sequence", "event", "served_by", "next_audio_sequence")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    NEXT_AUDIO_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    event_sequence: int
    event: TranscriptionEvent
    served_by: _common_pb2.ServedBy
    next_audio_sequence: int
    def __init__(self, session_id: _Optional[str] = ..., event_sequence: _Optional[int] = ..., event: _Optional[_Union[TranscriptionEvent, _Mapping]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ..., next_audio_sequence: _Optional[int] = ...) -> None: ...

class PushAudioRequest(_message.Message):
    __slots__ = ("session_id", "sequence", "audio", "last")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    sequence: int
    audio: bytes
    last: bool
    def __init__(self, session_id: _Optional[str] = ..., sequence: _Optional[int] = ..., audio: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class PushAudioResponse(_message.Message):
    __slots__ = ("next_sequence",)
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    next_sequence: int
    def __init__(self, next_sequence: _Optional[int] = ...) -> None: ...

class RecognizeRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: TranscriptionConfig
    audio: bytes
    def __init__(self, config: _Optional[_Union[TranscriptionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class RecognizeResponse(_message.Message):
    __slots__ = ("transcript", "served_by")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    transcript: Transcript
    served_by: _common_pb2.ServedBy
    def __init__(self, transcript: _Optional[_Union[Transcript, _Mapping]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ...) -> None: ...
