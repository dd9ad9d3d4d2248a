"""Asks a running server for forms and calls of functions with OpenAI's own client.

    chat.py BASE_URL

It prints "ok", or fails with what differs from what the client documents.
"""

import json
import sys

from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(base_url=sys.argv[1], api_key="any")


def check(what, ok, got):
    if not ok:
        sys.exit(f"{what}: {got!r}")


class Rating(BaseModel):
    level: str
    score: int


parsed = client.chat.completions.parse(
    model="chat", messages=[{"role": "user", "content": "Rate: I goes."}], response_format=Rating, temperature=0, max_tokens=1000
).choices[0]
check("parse", isinstance(parsed.message.parsed, Rating), parsed)

tools = [
    {
        "type": "function",
        "function": {
            "name": "temperature",
            "description": "Returns the temperature in a city.",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"enum": ["Hanoi", "Hue"]}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
]
talk = [{"role": "user", "content": "How warm is it in Hanoi?"}]
with client.chat.completions.stream(
    model="chat", messages=talk, tools=tools, tool_choice="required", parallel_tool_calls=False, temperature=0
) as stream:
    pieces = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
    called = stream.get_final_completion().choices[0]
call = called.message.tool_calls[0]
check("call", called.finish_reason == "tool_calls" and json.loads(call.function.arguments)["city"] in ("Hanoi", "Hue") and pieces, called)
talk += [called.message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "37 degrees"}]
answers = client.chat.completions.create(
    model="chat", messages=talk, tools=tools, tool_choice="none", n=2, logprobs=True, top_logprobs=2, max_tokens=20, temperature=0.5
)
check("answers to a call", [c.index for c in answers.choices] == [0, 1] and all(c.message.content for c in answers.choices), answers)
check("logprobs", len(answers.choices[0].logprobs.content[0].top_logprobs) == 2, answers.choices[0].logprobs)
print("ok")
