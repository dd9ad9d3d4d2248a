"""A server for the evaluation, with the built-in configuration and its starters, free ports and a temporary state folder."""

import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping

# Variables that would change the built-in configuration or enable the cloud.
SETTINGS = re.compile(r"MODELGATEWAY_|(QWEN|WHISPER|PIPER|HUBERT|GEMINI|OTEL)_|(MAX_MEMORY_MB|MODEL_DEVICE)$")
STOP = 60  # seconds to wait until it exits


class NoServer(Exception):
    """Raised if the server did not start; the text is its output."""


@dataclasses.dataclass(frozen=True)
class Addresses:
    """Where a server listens."""

    grpc: str
    http: str


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment variables without those that configure a server."""
    return {name: value for name, value in variables.items() if not SETTINGS.match(name)}


@contextlib.contextmanager
def running(binary: pathlib.Path) -> Iterator[str]:
    """Runs `modelgateway serve` with the starters until the end of the block; yields its gRPC address."""
    with serving(binary, ["--starters-only"], {}) as addresses:
        yield addresses.grpc


@contextlib.contextmanager
def serving(binary: pathlib.Path, options: list[str], variables: Mapping[str, str]) -> Iterator[Addresses]:
    """Runs `modelgateway serve` with options and variables until the end of the block; yields its addresses."""
    with tempfile.TemporaryDirectory(prefix="models-eval-") as folder:
        log = pathlib.Path(folder) / "log"
        command = [str(binary), "serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", *options,
                   "--state-dir", str(pathlib.Path(folder) / "state")]
        with log.open("wb") as errors:
            # In its own session, so that Ctrl-C in a terminal does not end it before its clients.
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True,
                                       env={**environment(os.environ), **variables}, start_new_session=True)
        try:
            found = re.findall(r"127\.0\.0\.1:\d+", process.stdout.readline())
            if len(found) < 2:
                raise NoServer(f"{binary} did not start: {log.read_text(errors='replace').strip()[-2000:]}")
            yield Addresses(*found[:2])
        finally:
            _stop(process)


def processor_seconds(pid: int) -> float:
    """Returns the processor time that a process has used."""
    user, system = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        process.stdout.close()
