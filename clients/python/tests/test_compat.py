"""Runs the Python examples from the documentation of the Python gateway.

tests/original contains them unchanged; ported changes only their import lines.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import logging
import pathlib
import re
import time
import types
from collections.abc import Iterator
from typing import Any, Dict  # noqa: UP035  the example is written so

import pytest
from conftest import Server, Start
from fastapi import FastAPI
from fastapi.testclient import TestClient

import modelgateway
from modelgateway import audio, compat

ORIGINAL = pathlib.Path(__file__).parent / "original"
IMPORTS = {
    "from api.services.gateway_setup import": "from modelgateway.compat import",
    "from api.services.model_gateway import": "from modelgateway.compat import",
}


def ported(name: str) -> str:
    """Returns an example with its import lines changed and nothing else."""
    lines = (ORIGINAL / f"{name}.py.txt").read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        for old, new in IMPORTS.items():
            if line.startswith(old):
                lines[number] = line.replace(old, new)
    assert not any("api.services" in line for line in lines)
    return "".join(lines)


async def run(name: str, namespace: dict[str, Any]) -> list[Any]:
    """Runs an example statement by statement and returns what `result` was after each that set it."""
    results: list[Any] = []
    tree = ast.parse(ported(name))
    for statement in tree.body:
        one = ast.Module([statement], [])
        code = compile(one, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        before = namespace.get("result")
        pending = eval(code, namespace)
        if inspect.isawaitable(pending):
            await pending
        if namespace.get("result") is not before:
            results.append(namespace["result"])
    return results


@pytest.fixture(autouse=True)
def environment(speaking: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MODELGATEWAY_ADDR", speaking.grpc)
    monkeypatch.setattr(compat._Settings, "address", None)
    monkeypatch.setattr(compat._Settings, "local_only", False)
    yield


@pytest.fixture(scope="session")
def clip(speaking: Server) -> bytes:
    """A WAV file with speech."""
    with modelgateway.Client(speaking.grpc) as client:
        return client.synthesize("Hello world").wav().to_bytes()


def test_only_import_lines_are_changed() -> None:
    for file in ORIGINAL.glob("*.py.txt"):
        text = file.read_text().splitlines()
        changed = ported(file.name.removesuffix(".py.txt")).splitlines()
        differing = [old for old, new in zip(text, changed, strict=True) if old != new]
        assert all(line.startswith("from api.services.") for line in differing)
        assert len(differing) == sum("api.services" in line for line in text)


def test_lifespan_of_fastapi() -> None:
    namespace: dict[str, Any] = {"asynccontextmanager": contextlib.asynccontextmanager, "FastAPI": FastAPI}
    asyncio.run(run("lifespan", namespace))
    app = FastAPI(lifespan=namespace["lifespan"])

    @app.get("/grammar")
    async def grammar(text: str) -> Any:
        return await compat.execute_task(task_type="grammar", params={"text": text})

    @app.get("/health")
    async def health() -> Any:
        gateway = await compat.get_gateway()
        return {"status": "healthy", "gateway_initialized": True, "gateway_status": gateway.get_status()}

    with TestClient(app) as web:
        answer = web.get("/grammar", params={"text": "I goes to school yesterday"}).json()
        assert answer["success"] and answer["data"]["corrected_text"] != "I goes to school yesterday"
        status = web.get("/health").json()["gateway_status"]
        assert "qwen" in status["loaded_models"] and status["gateway"]["max_memory_mb"] == 4000
    assert not compat._Settings.gateways


@pytest.mark.parametrize("source", ["bytes", "path"])
def test_every_task(source: str, clip: bytes, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "clip.wav"
    file.write_bytes(clip)

    async def main() -> list[Any]:
        namespace = {"audio_bytes_or_path": str(file) if source == "path" else clip, "audio_bytes": clip}
        try:
            return await run("tasks", namespace)
        finally:
            await compat.shutdown_gateway()

    chat, grammar, stt, tts, pronunciation = asyncio.run(main())
    for result in (chat, grammar, stt, tts, pronunciation):
        assert result.get("success") is True, result
        assert result["error"] is None
    assert [r["engine"] for r in (chat, grammar, stt, tts, pronunciation)] == "llama llama whisper piper hubert".split()
    assert chat["data"]["response"] == chat["data"]["text"] != "" and chat["fallback"] is False
    assert grammar["data"]["corrected_text"] != "I goes to school yesterday"
    assert any(error["span"] == "goes" and error["correction"] for error in grammar["data"]["errors"])
    assert 0 <= grammar["data"]["grammar_score"] <= 1
    heard = audio.read_wav(clip)
    assert isinstance(stt["data"]["text"], str) and stt["data"]["duration"] == pytest.approx(heard.seconds, abs=0.01)
    speech = audio.read_wav(tts["data"]["audio"])  # bytes of a WAV file
    assert speech.seconds == pytest.approx(tts["data"]["duration"]) and speech.seconds > 0.5
    assert speech.sample_rate == tts["data"]["sample_rate"]
    assert 0 <= pronunciation["data"]["pronunciation_score"] <= 1
    words = [word["text"] for word in pronunciation["data"]["words"] if word["error_type"] != "insertion"]
    assert words == ["Hello", "world"]


def test_direct_access(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> tuple[list[Any], dict[str, Any]]:
        namespace: dict[str, Any] = {}
        try:
            return await run("gateway", namespace), namespace
        finally:
            await compat.shutdown_gateway()

    (result,), namespace = asyncio.run(main())
    assert result.get("success") and result["data"]["text"] and result["model"] == "qwen"
    status = namespace["status"]
    out = capsys.readouterr().out
    assert f"Loaded models: {status['loaded_models']}\n" in out and "qwen" in status["loaded_models"]
    assert re.search(r"Memory used: \d+MB", out)
    assert status["gateway"].keys() >= {"uptime_seconds", "total_requests", "max_memory_mb", "used_memory_mb"}
    assert status["models"]["qwen"].keys() >= {"status", "request_count", "avg_latency_ms"}
    assert status["models"]["qwen"]["status"] == "ready"


def diagnose_node() -> Any:
    """Returns the example's function, in a module like its original one."""
    module = types.ModuleType("nodes_v2")
    names: dict[str, Any] = {
        "Any": Any,
        "Dict": Dict,
        "GraphCAGState": Dict[str, Any],
        "get_gateway": compat.get_gateway,
        "DIAGNOSIS_PROMPT": "You find mistakes in a learner's English.",
        "parse_diagnosis": lambda data: {"by": "model", "text": data["text"]},
        "_rule_based_diagnosis": lambda state: {"by": "rules", "text": state["user_input"]},
    }
    module.__dict__.update(names)
    exec(compile(ported("diagnose_node"), "nodes_v2.py", "exec"), module.__dict__)
    return module.__dict__["diagnose_node"]


def ask(node: Any) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        try:
            return await node({"user_input": "I goes to school yesterday"})
        finally:
            await compat.shutdown_gateway()

    return asyncio.run(main())


def test_diagnose_node_asks_the_model() -> None:
    diagnosis = ask(diagnose_node())
    assert diagnosis["by"] == "model" and diagnosis["text"]


def test_diagnose_node_falls_back_to_rules(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    lost = start(
        "models: {qwen: {engine: llama, path: /nonexistent/qwen.gguf, memory_mb: 64}}\n"
        "tasks: {chat: {primary: qwen, fallbacks: []}, explain_vi: {primary: qwen, fallbacks: []},\n"
        "  grammar: {primary: qwen, fallbacks: []}, response: {primary: qwen, fallbacks: []},\n"
        "  stt: {primary: qwen, fallbacks: []}, tts: {primary: qwen, fallbacks: []},\n"
        "  pronunciation: {primary: qwen, fallbacks: []}}\n"
    )
    monkeypatch.setenv("MODELGATEWAY_ADDR", lost.grpc)
    assert ask(diagnose_node()) == {"by": "rules", "text": "I goes to school yesterday"}
    lost.stop()
    assert ask(diagnose_node())["by"] == "rules"  # the server has stopped


def execute(task_type: str, params: dict[str, Any], **options: Any) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        try:
            return await compat.execute_task(task_type, params, **options)
        finally:
            await compat.shutdown_gateway()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("task", "params", "reason", "words"),
    [
        ("sing", {"text": "la"}, "TASK_UNKNOWN", "sing"),
        ("grammar", {"text": ""}, "INVALID_REQUEST", "text"),
        ("stt", {"audio": "/nonexistent/clip.wav"}, "INVALID_REQUEST", "/nonexistent/clip.wav"),
        ("pronunciation", {"audio": b"x", "reference_text": ""}, "INVALID_REQUEST", "reference_text"),
        ("chat", {"text": object()}, "INVALID_REQUEST", ""),
    ],
)
def test_failures_are_results(task: str, params: dict[str, Any], reason: str, words: str) -> None:
    result = execute(task, params)
    assert result["success"] is False and result["data"] is None
    assert result["reason"] == reason
    assert words in result["error"]


def test_deadlines_are_results() -> None:
    began = time.monotonic()

    async def main() -> dict[str, Any]:
        gateway = await compat.get_gateway()
        try:
            params = {"task": "chat", "text": 'fault: {"fault": "stall"}'}
            return await gateway.invoke(model_name="tutor", method="invoke", params=params, timeout=0.5)
        finally:
            await compat.shutdown_gateway()

    result = asyncio.run(main())
    assert result["success"] is False and result["reason"] == "DEADLINE_EXCEEDED"
    assert time.monotonic() - began < 30


def test_none_counts_as_not_given() -> None:
    assert execute("grammar", {"text": "I am here.", "model": None})["success"]


def test_setup_warns_if_the_server_differs(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        gateway = await compat.setup_gateway(max_memory_mb=8000, enable_auto_unload=False, use_gemini_fallback=True)
        assert await compat.get_gateway() is gateway
        assert (await gateway.status()).keys() == gateway.get_status().keys()
        await compat.shutdown_gateway()

    with caplog.at_level(logging.WARNING, "modelgateway.compat"):
        asyncio.run(main())
    assert "4000 MB" in caplog.text and "pin" in caplog.text and "Gemini" in caplog.text
    caplog.clear()

    async def same_settings() -> None:
        await compat.setup_gateway(max_memory_mb=4000, use_gemini_fallback=False)
        result = await compat.execute_task("chat", {"text": "Hello", "max_tokens": 4})
        assert result["success"]
        await compat.shutdown_gateway()

    with caplog.at_level(logging.WARNING, "modelgateway.compat"):
        asyncio.run(same_settings())
    assert caplog.text == ""


def test_setup_without_a_server_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELGATEWAY_ADDR", "127.0.0.1:1")
    with pytest.raises(ConnectionError):
        asyncio.run(compat.setup_gateway(timeout=1))


def test_fallbacks_are_reported(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "any.model"
    file.write_text("a model of the test engine")
    tasks = "".join(
        f", {task}: {{primary: spare}}" for task in "grammar response stt tts pronunciation explain_vi".split()
    )
    server = start(
        "engines: {fault: {command: [engine-fault]}}\n"
        f"models: {{qwen: {{engine: fault, path: {file}.lost, memory_mb: 64}},\n"
        f"  spare: {{engine: fault, path: {file}, memory_mb: 64}}}}\n"
        f"tasks: {{chat: {{primary: qwen, fallbacks: [spare]}}{tasks}}}\n"
    )
    monkeypatch.setenv("MODELGATEWAY_ADDR", server.grpc)
    result = execute("chat", {"text": "Hello"})
    assert result["success"] and result["model"] == "spare"
    assert (result["fallback"], result["fallback_reason"]) == (True, "MODEL_FILE_MISSING")
    assert ask(diagnose_node())["by"] == "model"  # the fallback answered, so the rules are not used
