"""Calls a running server with LiteLLM; see common.py."""

import json

import litellm
from common import ABOUT_ANNA, QUESTION, base_url, check, recording, run_example
from pydantic import BaseModel, Field

_, output = run_example()
check("the example", output.strip(), output)

server = {"api_base": base_url, "api_key": "any"}
chat = {"model": "openai/chat", "temperature": 0, "max_tokens": 100, **server}
hello = [{"role": "user", "content": "Hello, how are you?"}]
whole = litellm.completion(messages=hello, **chat)
pieces = list(litellm.completion(messages=hello, stream=True, stream_options={"include_usage": True}, **chat))
text = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
check("chat", whole.choices[0].message.content and whole.usage.completion_tokens > 0, whole)
check("stream", text and len(pieces) > 3 and pieces[-1].usage.completion_tokens > 0, pieces)


class Person(BaseModel):
    name: str = Field(max_length=40)
    age: int = Field(ge=0, le=120)


answer = litellm.completion(messages=[{"role": "user", "content": ABOUT_ANNA}], response_format=Person, **chat)
person = Person.model_validate_json(answer.choices[0].message.content)
check("response_format", "Anna" in person.name and person.age == 31, person)

tool = {
    "name": "get_temperature",
    "description": "Returns the temperature in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}}, "required": ["city"]},
}
messages = [{"role": "user", "content": QUESTION}]
asked = litellm.completion(messages=messages, tools=[{"type": "function", "function": tool}], tool_choice="required", parallel_tool_calls=False, **chat)
call = asked.choices[0].message.tool_calls[0]
check("tools", asked.choices[0].finish_reason == "tool_calls" and "Hanoi" in json.loads(call.function.arguments)["city"], asked)
messages += [asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 37, "unit": "celsius"}'}]
answer = litellm.completion(messages=messages, **chat)
check("the tool's answer", "37" in answer.choices[0].message.content, answer)

with open(recording, "rb") as file:
    heard = litellm.transcription(model="openai/whisper-1", file=file, language="en", response_format="verbose_json", **server)
check("transcription", "fox" in heard.text and heard.duration > 1, heard)
said = litellm.speech(model="openai/tts-1", voice="alloy", input="Good morning.", response_format="flac", **server).content
check("speech", said.startswith(b"fLaC"), said[:20])

try:
    check("unknown model", False, litellm.completion(messages=hello, **(chat | {"model": "openai/gpt-9"})))
except litellm.NotFoundError as error:
    check("unknown model", "gpt-9" in str(error), error)
print("ok")
