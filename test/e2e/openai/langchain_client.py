"""Calls a running server with LangChain; see common.py."""

import openai
from common import ABOUT_ANNA, QUESTION, base_url, check, run_example
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

_, output = run_example()
check("the example", "name='Anna" in output and "age=31" in output, output)

model = ChatOpenAI(model="chat", base_url=base_url, api_key="any", temperature=0, max_tokens=200, stream_usage=True)


class Person(BaseModel):
    """A person."""

    name: str = Field(max_length=40)
    age: int = Field(ge=0, le=120)
    likes: list[str] = Field(default_factory=list, max_length=3, description="what the person likes")
    pet: str | None = Field(default=None, max_length=20)


for method in ("json_schema", "function_calling"):
    person = model.with_structured_output(Person, method=method).invoke(ABOUT_ANNA)
    check(method, "Anna" in person.name and person.age == 31, person)

messages = [SystemMessage("Answer briefly."), HumanMessage("Hello, how are you?")]
whole = model.invoke(messages)
pieces = list(model.stream(messages))
joined = sum(pieces[1:], pieces[0])
check("chat", whole.content and whole.usage_metadata["output_tokens"] > 0, whole)
check("stream", joined.content and len(pieces) > 3 and joined.usage_metadata["output_tokens"] > 0, joined)
check("logprobs", model.bind(logprobs=True, top_logprobs=2).invoke(messages).response_metadata["logprobs"]["content"], whole)


@tool
def get_temperature(city: str, unit: str = "celsius") -> dict:
    """Returns the temperature in a city."""
    return {"city": city, "temperature": 37, "unit": "celsius"}


with_tools = model.bind_tools([get_temperature], tool_choice="any", parallel_tool_calls=False)
call = with_tools.invoke([HumanMessage(QUESTION)])
check("bind_tools", len(call.tool_calls) == 1 and "Hanoi" in call.tool_calls[0]["args"]["city"], call)
streamed = list(with_tools.stream([HumanMessage(QUESTION)]))
check("bind_tools as a stream", sum(streamed[1:], streamed[0]).tool_calls[0]["args"] == call.tool_calls[0]["args"], streamed)
answered = get_temperature.invoke(call.tool_calls[0])
check("the tool's message", isinstance(answered, ToolMessage), answered)
answer = model.invoke([HumanMessage(QUESTION), call, answered])
check("the tool's answer", "37" in answer.content, answer)

try:
    check("unknown model", False, ChatOpenAI(model="gpt-9", base_url=base_url, api_key="any").invoke("Hi"))
except openai.NotFoundError as error:
    check("unknown model", error.code == "model_not_found", error.body)
print("ok")
