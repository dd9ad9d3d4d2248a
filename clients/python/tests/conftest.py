"""Starts the built server for the tests. Run `make build` first."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import modelgateway

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = ROOT / "bin"

# Chat and grammar use the starter model; speech uses the test engine, which supports every task.
CONFIG = """
engines:
  fault: {{command: [engine-fault], max_concurrency: 4}}
models:
  qwen: {{engine: llama, path: "starter:chat.gguf", memory_mb: 256, priority: critical, idle_timeout: 10m}}
  whisper: {{engine: fault, path: {file}, memory_mb: 64}}
  piper: {{engine: fault, path: {file}, memory_mb: 64}}
  hubert: {{engine: fault, path: {file}, memory_mb: 64}}
  tutor: {{engine: fault, path: {file}, memory_mb: 64}}
  counted: {{engine: fault, path: {file}, memory_mb: 64}}
  crasher: {{engine: fault, path: {file}, memory_mb: 64, parameters: {{fault: crash}}}}
  big: {{engine: fault, path: {file}, memory_mb: 90000}}
  lost: {{engine: fault, path: {file}.not-there, memory_mb: 64}}
tasks:
  chat: {{primary: qwen, fallbacks: []}}
  grammar: {{primary: qwen, fallbacks: []}}
  respond: {{primary: tutor, fallbacks: []}}
  transcribe: {{primary: whisper, fallbacks: []}}
  synthesize: {{primary: piper, fallbacks: []}}
  pronunciation: {{primary: hubert, fallbacks: []}}
  explain_vietnamese: {{primary: tutor, fallbacks: []}}
"""

# The starter models for speech, with their own engines.
SPEECH = {"whisper": "starter:whisper.bin", "piper": "starter:voice.onnx", "hubert": "starter:pronunciation.onnx"}


@dataclasses.dataclass
class Server:
    """A running `modelgateway serve`."""

    process: subprocess.Popen[str]
    grpc: str
    http: str
    log: list[str]

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def serving(directory: pathlib.Path, config: str, *args: str, grpc: str = "127.0.0.1:0") -> Iterator[Server]:
    """Runs a server with its own state folder until the end of the block."""
    file = directory / "config.yaml"
    file.write_text(config)
    command = [str(BIN / "modelgateway"), "serve", "--config", str(file), "--state-dir", str(directory / "state")]
    process = subprocess.Popen(
        [*command, "--grpc-listen", grpc, "--http-listen", "127.0.0.1:0", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stderr
    log: list[str] = []
    reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        line = process.stdout.readline()
        addresses = re.findall(r"127\.0\.0\.1:\d+", line)
        assert len(addresses) >= 2, f"no line with two addresses: {line!r}"
        yield Server(process, addresses[0], f"http://{addresses[1]}", log)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            reader.join(timeout=10)
            sys.stderr.writelines(log)  # pytest shows it if a test fails
            process.stdout.close()
            process.stderr.close()


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Returns a function that starts further servers: start(config, *args, grpc=…)."""
    with contextlib.ExitStack() as stack:
        count = 0

        def begin(config: str, *args: str, grpc: str = "127.0.0.1:0") -> Server:
            nonlocal count
            count += 1
            directory = tmp_path / f"server{count}"
            directory.mkdir()
            return stack.enter_context(serving(directory, config, *args, grpc=grpc))

        yield begin


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that most tests share."""
    directory = tmp_path_factory.mktemp("server")
    file = directory / "any.model"
    file.write_text("a model of the test engine")
    with serving(directory, CONFIG.format(file=file), "--max-memory-mb", "4000") as running:
        yield running


@pytest.fixture(scope="session")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which every task has its own engine."""
    directory = tmp_path_factory.mktemp("speaking")
    file = directory / "any.model"
    file.write_text("a model of the test engine")
    config = CONFIG
    for name, path in SPEECH.items():
        line = f"{name}: {{{{engine: fault, path: {{file}}, memory_mb: 64}}}}"
        assert line in config
        config = config.replace(line, f'{name}: {{{{engine: {name}, path: "{path}"}}}}')
    with serving(directory, config.format(file=file), "--max-memory-mb", "4000") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[modelgateway.Client]:
    """A client of the shared server."""
    with modelgateway.Client(server.grpc) as connected:
        yield connected
