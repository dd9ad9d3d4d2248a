"""Asks a running server for responses with OpenAI's own client, as its users do.

    responses.py BASE_URL

It prints "ok", or fails with what differs from what the client documents.
"""

import sys

import openai
from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(base_url=sys.argv[1], api_key="any")
question = "Hello, how are you?"


def check(what, ok, got):
    if not ok:
        sys.exit(f"{what}: {got!r}")


# Text, whole and as a stream.
whole = client.responses.create(model="chat", input=question, instructions="Be kind.", temperature=0, max_output_tokens=20)
check(
    "response",
    whole.output_text and whole.status in ("completed", "incomplete") and whole.usage.total_tokens > whole.usage.output_tokens > 0,
    whole,
)
events = list(
    client.responses.create(model="chat", input=question, instructions="Be kind.", temperature=0, max_output_tokens=20, stream=True)
)
said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
check("stream", said == whole.output_text == events[-1].response.output_text, said)
check("numbers of events", [e.sequence_number for e in events] == list(range(len(events))), events)
check("usage of the stream", events[-1].response.usage.output_tokens == whole.usage.output_tokens, events[-1])


# A form, by a class.
class Rating(BaseModel):
    level: str
    score: int


parsed = client.responses.parse(model="chat", input="Rate this sentence: I goes.", text_format=Rating, temperature=0, max_output_tokens=300)
check("parse", isinstance(parsed.output_parsed, Rating) or parsed.status == "incomplete", parsed)

# A call of a function, as a stream that the client puts together, and the answer to what it returned.
temperature = {
    "type": "function",
    "name": "temperature",
    "description": "Returns the temperature in a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"enum": ["Hanoi", "Hue"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
talk = [{"role": "user", "content": "How warm is it in Hanoi?"}]
with client.responses.stream(
    model="chat", input=talk, tools=[temperature], tool_choice="required", parallel_tool_calls=False, temperature=0
) as stream:
    pieces = [e for e in stream if e.type == "response.function_call_arguments.delta"]
    called = stream.get_final_response()
calls = [item for item in called.output if item.type == "function_call"]
check("call", len(calls) == 1 and calls[0].name == "temperature" and calls[0].arguments == pieces[-1].snapshot, called)
talk += called.output
talk.append({"type": "function_call_output", "call_id": calls[0].call_id, "output": "37 degrees"})
answer = client.responses.create(model="chat", input=talk, tools=[temperature], tool_choice="none", temperature=0, max_output_tokens=40)
check("answer to a call", answer.output_text and answer.output[0].type == "message", answer)

# Errors have the client's own types.
for what, kind, options in [
    ("unknown model", openai.NotFoundError, {"model": "gpt-9"}),
    ("earlier response", openai.BadRequestError, {"previous_response_id": whole.id}),
    ("built-in tool", openai.BadRequestError, {"tools": [{"type": "web_search"}]}),
]:
    try:
        check(what, False, client.responses.create(**{"model": "chat", "input": question, **options}))
    except kind as error:
        check(what, error.code in ("model_not_found", "invalid_request") and error.param and error.request_id, error.body)
try:
    check("kept response", False, client.responses.retrieve(whole.id))
except openai.NotFoundError as error:
    check("kept response", "keeps no responses" in str(error), error.body)
print("ok")
