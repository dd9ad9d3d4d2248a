"""Tests the engine SDK. test/e2e/python_engine_test.go tests it as a worker process."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
import threading
from typing import Any

import pytest

import modelgateway
from modelgateway import engine


@dataclasses.dataclass
class Parameters:
    width: int = 3
    rate: float = 0.5
    name: str = "x"
    loud: bool = False
    names: list[str] = dataclasses.field(default_factory=list)


def options(parameters: dict[str, Any], path: str = ".") -> engine.LoadOptions:
    return engine.LoadOptions(
        threading.Event(),
        lambda units: None,
        lambda fraction: None,
        model_name="m",
        path=path,
        device="cpu",
        threads=1,
        max_concurrency=1,
        parameters=parameters,
    )


def test_parameters_take_their_defaults() -> None:
    assert options({}).decode(Parameters) == Parameters()
    given = {"width": 4, "rate": 2, "name": "y", "loud": True, "names": ["a"]}
    assert options(given).decode(Parameters) == Parameters(4, 2.0, "y", True, ["a"])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"widht": 1}, "did you mean 'width'"),
        ({"zzz": 1}, "known parameters: width, rate"),
        ({"width": "1"}, "must be int, not str"),
        ({"width": True}, "must be int, not bool"),
        ({"width": 1.5}, "must be int, not float"),
        ({"loud": 1}, "must be bool, not int"),
        ({"names": "a"}, "must be list, not str"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(modelgateway.InvalidRequest, match=words) as raised:
        options(parameters).decode(Parameters)
    assert raised.value.metadata["parameter"] in parameters


def test_missing_file(tmp_path: pathlib.Path) -> None:
    assert options({}, str(tmp_path)).file() == tmp_path
    with pytest.raises(modelgateway.ModelFileMissing):
        options({}, str(tmp_path / "gone")).file()


def test_a_call_is_cancelled_by_its_caller_and_by_the_process() -> None:
    stopping = threading.Event()
    call = engine.Call(stopping, lambda units: None)
    call.check()
    call.wait(0)
    assert not call.cancelled
    stopping.set()
    with pytest.raises(modelgateway.Draining):
        call.check()
    call._end()
    with pytest.raises(modelgateway.Cancelled):
        call.wait(60)
    assert call.cancelled


PROGRAM = pathlib.Path(__file__).parents[3] / "examples/python-engine/ngram_engine.py"


@pytest.mark.parametrize(("args", "code", "words"), [(["--version"], 0, "ngram 1."), ([], 2, "ModelGateway")])
def test_started_by_hand_it_describes_itself(args: list[str], code: int, words: str) -> None:
    source = pathlib.Path(modelgateway.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *args],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code and words in done.stdout + done.stderr
