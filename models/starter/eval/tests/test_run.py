"""Tests the program as `make models-eval` starts it, with a real server. Run `make build` first."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

STARTER = pathlib.Path(__file__).resolve().parents[2]
README = STARTER.parents[1] / "README.md"
PATHS = [STARTER, STARTER / "train", STARTER.parents[1] / "clients/python/src"]


@pytest.fixture
def temporary() -> Iterator[pathlib.Path]:
    """A folder for temporary files. The name of pytest's is too long for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="eval-") as folder:
        yield pathlib.Path(folder)


@pytest.fixture
def variables(temporary: pathlib.Path) -> dict[str, str]:
    """The environment of a run. It must ignore the settings of servers."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS)), "TMPDIR": str(temporary),
            "XDG_CACHE_HOME": str(temporary / "cache"), "MODELGATEWAY_CONFIG": "/no/such/file", "QWEN_MODEL_PATH": "/no/such/file"}


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "eval", *options]


def left_over(temporary: pathlib.Path) -> set[str]:
    return {file.name for file in temporary.iterdir()} - {"cache"}


def test_language_is_measured(tmp_path: pathlib.Path, temporary: pathlib.Path, variables: dict[str, str]) -> None:
    file = tmp_path / "figures.json"
    run = subprocess.run(command("--only", "chat,grammar", "--count", "3", "--verbose", "--json", str(file)),
                         env=variables, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    figures = {(figure["part"], figure["name"]): figure for figure in json.loads(file.read_text())["figures"]}
    for name in ("mistake corrected exactly", "correct sentence left alone"):
        figure = figures["grammar", name]
        assert figure["n"] == 3 and 0 <= figure["value"] <= 1 and figure["target"]["sign"] == ">="
        assert figure["verdict"] == ("PASS" if figure["value"] >= figure["target"]["value"] else "BELOW")
        assert re.search(rf"{name} +{100 * figure['value']:.1f} % ", run.stdout)
    assert {name for part, name in figures if part == "chat"} >= {"sensible answer, greedy", "ends by itself, greedy"}
    assert run.stdout.count("\ngreedy, ") + run.stdout.startswith("greedy, ") == 3  # requests and answers
    assert re.search(r"Measured in \d+ s\. \d+ of \d+ targets met\.", run.stdout)
    assert not left_over(temporary)


def test_interrupt_stops_the_server(temporary: pathlib.Path, variables: dict[str, str]) -> None:
    with subprocess.Popen(command("--only", "grammar"), env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as run:
        address = re.search(r"127\.0\.0\.1:(\d+)", run.stderr.readline())
        assert address and left_over(temporary)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=120)
    # Python ends with the signal if it arrives during an import; for a shell that is 130 too.
    assert run.returncode in (130, -signal.SIGINT) and err.endswith("models-eval: interrupted\n") and not out
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address[1])), timeout=60)
    assert not left_over(temporary)


def test_missing_server_is_reported(variables: dict[str, str]) -> None:
    with socket.socket() as taken:  # bound, so that no other program listens there
        taken.bind(("127.0.0.1", 0))
        server = "%s:%d" % taken.getsockname()
        run = subprocess.run(command("--only", "chat", "--server", server), env=variables, capture_output=True, text=True, timeout=120)
    assert run.returncode == 3 and server in run.stderr and "Traceback" not in run.stderr


def test_round_trip_uses_the_example_of_the_readme() -> None:
    example = re.search(r'^EXAMPLE = "(.+)"', (STARTER / "eval/speaking.py").read_text(), re.MULTILINE)
    assert example and f'synthesize -o hello.wav "{example[1]}"' in README.read_text()
