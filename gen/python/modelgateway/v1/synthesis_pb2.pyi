import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from modelgateway.v1 import common_pb2 as _common_pb2
from modelgateway.v1 import transcription_pb2 as _transcription_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SynthesizeRequest(_message.Message):
    __slots__ = ("text", "phonemes", "speaker", "speed", "volume", "noise_scale", "noise_w", "sentence_silence", "model", "routing", "output", "align_words")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PHONEMES_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    NOISE_SCALE_FIELD_NUMBER: _ClassVar[int]
    NOISE_W_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_SILENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ALIGN_WORDS_FIELD_NUMBER: _ClassVar[int]
    text: str
    phonemes: str
    speaker: str
    speed: float
    volume: float
    noise_scale: float
    noise_w: float
    sentence_silence: _duration_pb2.Duration
    model: str
    routing: _common_pb2.Routing
    output: SpeechOutput
    align_words: bool
    def __init__(self, text: _Optional[str] = ..., phonemes: _Optional[str] = ..., speaker: _Optional[str] = ..., speed: _Optional[float] = ..., volume: _Optional[float] = ..., noise_scale: _Optional[float] = ..., noise_w: _Optional[float] = ..., sentence_silence: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., model: _Optional[str] = ..., routing: _Optional[_Union[_common_pb2.Routing, _Mapping]] = ..., output: _Optional[_Union[SpeechOutput, _Mapping]] = ..., align_words: _Optional[bool] = ...) -> None: ...

class SpeechOutput(_message.Message):
    __slots__ = ("encoding", "bitrate", "sample_rate_hertz")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    BITRATE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    encoding: _transcription_pb2.AudioEncoding
    bitrate: int
    sample_rate_hertz: int
    def __init__(self, encoding: _Optional[_Union[_transcription_pb2.AudioEncoding, str]] = ..., bitrate: _Optional[int] = ..., sample_rate_hertz: _Optional[int] = ...) -> None: ...

class SpokenWord(_message.Message):
    __slots__ = ("text", "start", "end", "aligned")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ALIGNED_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    aligned: bool
    def __init__(self, text: _Optional[str] = ..., start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., aligned: _Optional[bool] = ...) -> None: ...

class SynthesizeResponse(_message.Message):
    __slots__ = ("audio", "sample_rate_hertz", "sentence", "words", "served_by")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    audio: bytes
    sample_rate_hertz: int
    sentence: str
    words: _containers.RepeatedCompositeFieldContainer[SpokenWord]
    served_by: _common_pb2.ServedBy
    def __init__(self, audio: _Optional[bytes] = ..., sample_rate_hertz: _Optional[int] = ..., sentence: _Optional[str] = ..., words: _Optional[_Iterable[_Union[SpokenWord, _Mapping]]] = ..., served_by: _Optional[_Union[_common_pb2.ServedBy, _Mapping]] = ...) -> None: ...

class ListVoicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Voice(_message.Message):
    __slots__ = ("id", "name", "model", "speaker", "language", "sample_rate_hertz", "word_times")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    WORD_TIMES_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    model: str
    speaker: str
    language: str
    sample_rate_hertz: int
    word_times: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., model: _Optional[str] = ..., speaker: _Optional[str] = ..., language: _Optional[str] = ..., sample_rate_hertz: _Optional[int] = ..., word_times: _Optional[bool] = ...) -> None: ...

class ListVoicesResponse(_message.Message):
    __slots__ = ("voices",)
    VOICES_FIELD_NUMBER: _ClassVar[int]
    voices: _containers.RepeatedCompositeFieldContainer[Voice]
    def __init__(self, voices: _Optional[_Iterable[_Union[Voice, _Mapping]]] = ...) -> None: ...
