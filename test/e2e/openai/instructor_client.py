"""Calls a running server with instructor; see common.py."""

from typing import Literal

import instructor
from common import ABOUT_ANNA, base_url, check, run_example
from openai import OpenAI
from pydantic import BaseModel, Field

_, output = run_example()
check("the example", "name='Anna" in output and "age=31" in output, output)


class Pet(BaseModel):
    kind: Literal["cat", "dog"]
    name: str = Field(max_length=20)


class Person(BaseModel):
    name: str = Field(max_length=40)
    age: int = Field(ge=0, le=120)
    pets: list[Pet] = Field(max_length=2, description="the person's pets")


request = {"model": "chat", "response_model": Person, "temperature": 0, "max_tokens": 300, "max_retries": 1}
openai_client = OpenAI(base_url=base_url, api_key="any")
for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
    client = instructor.from_openai(openai_client, mode=mode)
    person = client.create(messages=[{"role": "user", "content": ABOUT_ANNA}], **request)
    check(f"{mode}", "Anna" in person.name and person.age == 31, person)
    parts = list(client.create_partial(messages=[{"role": "user", "content": ABOUT_ANNA}], **request))
    check(f"{mode}, partial", len(parts) > 2 and parts[-1].age == 31 and parts[0].age is None, parts)
client = instructor.from_openai(openai_client)
pets = list(client.create_iterable(messages=[{"role": "user", "content": "Anna has a cat."}], **(request | {"response_model": Pet, "max_tokens": 60})))
check("iterable", all(isinstance(pet, Pet) for pet in pets), pets)
print("ok")
