"""Tests access tokens with a real server."""

from __future__ import annotations

import asyncio
import datetime
import pathlib
import subprocess

import pytest
from conftest import BIN, Start

import modelgateway

CONFIG = """
auth: {{keys_file: {keys}}}
engines: {{fault: {{command: [engine-fault]}}}}
models: {{qwen: {{engine: fault, path: {file}, memory_mb: 64}}}}
tasks: {{chat: {{primary: qwen}}, grammar: {{primary: qwen}}}}
"""


def test_an_app_calls_with_a_token_of_its_back_end(start: Start, tmp_path: pathlib.Path) -> None:
    keys, file = tmp_path / "keys.yaml", tmp_path / "any.model"
    file.write_text("a model of the test engine")
    added = subprocess.run(
        [str(BIN / "modelgateway"), "keys", "add", "backend", "--keys-file", str(keys)],
        check=True,
        capture_output=True,
        text=True,
    )
    server = start(CONFIG.format(keys=keys, file=file))
    with modelgateway.Client(server.grpc, api_key=added.stdout.strip()) as backend:
        made = backend.create_access_token(subject="user-7", lifetime=60, tasks=["chat"], max_priority="low")
        with pytest.raises(modelgateway.ModelGatewayError, match="priority"):
            backend.create_access_token(max_priority="critical")
    left = made.expire_time.ToDatetime(datetime.timezone.utc) - datetime.datetime.now(datetime.timezone.utc)
    assert left <= datetime.timedelta(seconds=60)
    with modelgateway.Client(server.grpc, api_key=made.token) as app:
        assert app.chat("Hello").message.content
        with pytest.raises(modelgateway.ModelGatewayError, match="grammar"):
            app.grammar("Hello")

    async def again() -> None:
        async with modelgateway.AsyncClient(server.grpc, api_key=added.stdout.strip()) as backend:
            token = (await backend.create_access_token(subject="user-8")).token
        async with modelgateway.AsyncClient(server.grpc, api_key=token) as app:
            assert (await app.chat("Hello")).message.content

    asyncio.run(again())
