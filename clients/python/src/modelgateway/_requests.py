"""Converts Python values to messages of the API."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any, Union

from google.protobuf import struct_pb2

from modelgateway.v1 import auth_pb2, chat_pb2, common_pb2, transcription_pb2, tutor_pb2

#: A message of a conversation: ("user", "Hello"), {"role": "user", "content": "Hello"}, or ChatMessage.
Turn = Union[chat_pb2.ChatMessage, "tuple[str, str]", Mapping[str, Any]]
#: A conversation, or a single message of the user.
Conversation = Union[str, Sequence[Turn]]
#: How tokens are sampled: SamplingOptions, or its fields, e.g. {"temperature": 0, "max_tokens": 64}.
Sampling = Union[common_pb2.SamplingOptions, Mapping[str, Any]]
#: Which models may answer: Routing, or its fields, e.g. {"local_only": True, "priority": "high"}.
Routing = Union[common_pb2.Routing, Mapping[str, Any]]
#: A JSON Schema, as an object or as text.
Schema = Union[str, Mapping[str, Any]]
#: A function that the model may call: Tool, or its fields; "parameters" is a JSON Schema.
Tool = Union[chat_pb2.Tool, Mapping[str, Any]]
#: "low", "normal", "high", "critical", or the enum value.
Priority = Union[str, "common_pb2.Priority"]

_EXPLANATIONS = {
    "en": tutor_pb2.EXPLANATION_LANGUAGE_ENGLISH,
    "vi": tutor_pb2.EXPLANATION_LANGUAGE_VIETNAMESE,
}


def turn(value: Turn) -> chat_pb2.ChatMessage:
    """Converts a message. Raises ValueError for an unknown role."""
    if isinstance(value, chat_pb2.ChatMessage):
        return value
    fields: dict[str, Any] = dict(value if isinstance(value, Mapping) else zip(("role", "content"), value))
    return chat_pb2.ChatMessage(**{**fields, "role": _enum("ROLE_", fields["role"])})


def conversation(messages: Conversation, system_prompt: str = "") -> list[chat_pb2.ChatMessage]:
    """Converts a conversation and puts the system prompt before it."""
    turns = [turn(("user", messages))] if isinstance(messages, str) else [turn(m) for m in messages]
    return [turn(("system", system_prompt)), *turns] if system_prompt else turns


def sampling(value: Sampling | None) -> common_pb2.SamplingOptions | None:
    """Converts sampling options. Raises ValueError for an unknown field."""
    return common_pb2.SamplingOptions(**value) if isinstance(value, Mapping) else value


def chat_options(
    *,
    response_schema: Schema | None = None,
    tools: Sequence[Tool] = (),
    tool_choice: str = "",
    logprobs: int | None = None,
    n: int = 0,
) -> dict[str, Any]:
    """Converts the options of a chat to fields of its request.

    tool_choice is "auto", "none", "required" or the name of a tool. logprobs is the
    number of most likely tokens to return.
    """
    fields: dict[str, Any] = {"n": n, "tools": [_tool(t) for t in tools]}
    if response_schema is not None:
        fields["response_format"] = chat_pb2.ResponseFormat(
            type=chat_pb2.RESPONSE_FORMAT_TYPE_JSON_SCHEMA, json_schema=_json_text(response_schema)
        )
    if tool_choice in ("auto", "none", "required"):
        fields["tool_choice"] = chat_pb2.ToolChoice(mode=_enum("TOOL_CHOICE_MODE_", tool_choice))
    elif tool_choice:
        fields["tool_choice"] = chat_pb2.ToolChoice(mode=chat_pb2.TOOL_CHOICE_MODE_REQUIRED, tool_name=tool_choice)
    if logprobs is not None:
        fields |= {"logprobs": True, "top_logprobs": logprobs}
    return fields


def _tool(value: Tool) -> chat_pb2.Tool:
    if isinstance(value, chat_pb2.Tool):
        return value
    fields = dict(value)
    if "parameters" in fields:
        fields["parameters"] = _json_text(fields["parameters"])
    return chat_pb2.Tool(**fields)


def _json_text(value: Schema) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def routing(value: Routing | None) -> common_pb2.Routing | None:
    """Converts a routing. Raises ValueError for an unknown field."""
    if not isinstance(value, Mapping):
        return value
    fields = dict(value)
    if "priority" in fields:
        fields["priority"] = priority(fields["priority"])
    return common_pb2.Routing(**fields)


def priority(value: Priority | None) -> Any:
    """Converts a priority. None is the model's configured priority."""
    return _enum("PRIORITY_", value) if isinstance(value, str) else value


def access_token(
    subject: str,
    lifetime: float,
    tasks: Sequence[str],
    models: Sequence[str],
    max_priority: Priority | None,
    cloud: bool,
) -> auth_pb2.CreateAccessTokenRequest:
    """Converts what an access token is to allow. Raises ValueError for an unknown priority."""
    request = auth_pb2.CreateAccessTokenRequest(
        subject=subject, tasks=tasks, models=models, max_priority=priority(max_priority), cloud=cloud
    )
    request.lifetime.FromTimedelta(datetime.timedelta(seconds=lifetime))
    return request


def explanation_language(value: str) -> tutor_pb2.ExplanationLanguage:
    """Converts the language of explanations. Raises ValueError if it is not "en" or "vi"."""
    if value not in _EXPLANATIONS:
        raise ValueError(f'explanation_language must be "en" or "vi", not {value!r}')
    return _EXPLANATIONS[value]


def transcription_config(
    *,
    format: transcription_pb2.AudioFormat | None = None,
    language: str = "",
    translate: bool = False,
    initial_prompt: str = "",
    word_timestamps: bool = False,
    beam_size: int = 0,
    interim_results: bool = False,
    model: str = "",
    routing: common_pb2.Routing | None = None,
) -> transcription_pb2.TranscriptionConfig:
    """Makes a TranscriptionConfig, which documents these fields."""
    return transcription_pb2.TranscriptionConfig(
        format=format,
        language=language,
        translate=translate,
        initial_prompt=initial_prompt,
        word_timestamps=word_timestamps,
        beam_size=beam_size,
        interim_results=interim_results,
        model=model,
        routing=routing,
    )


def _enum(prefix: str, name: str) -> str:
    """Returns the name of an enum value for its short name; protobuf raises ValueError for an unknown one."""
    return name if name.startswith(prefix) else prefix + name.upper()


def to_struct(params: Mapping[str, Any]) -> struct_pb2.Struct:
    """Makes a Struct. Bytes become base64, tuples become lists."""
    struct = struct_pb2.Struct()
    struct.update({key: _plain(value) for key, value in params.items()})
    return struct


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Returns the fields of a Struct as Python types; whole numbers are int."""
    return {key: _value(value) for key, value in struct.fields.items()}


def _value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [_value(v) for v in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)
