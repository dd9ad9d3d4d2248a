"""Tests verdicts, the table and the summary."""

import argparse

import pytest
from eval import __main__ as program
from eval.figures import Figure, Target, summary, table


@pytest.mark.parametrize(
    ("sign", "value", "met"),
    [(">=", 0.8, True), (">=", 0.79, False), ("<=", 0.8, True), ("<=", 0.81, False), ("<", 0.8, False), ("<", 0.79, True),
     ("=", 0.8, True), ("=", 0.7, False)],
)
def test_verdict(sign: str, value: float, met: bool) -> None:
    assert Figure("chat", "x", value, 1, Target(sign, 0.8)).verdict() == ("PASS" if met else "BELOW")


def test_no_verdict_without_target() -> None:
    assert Figure("chat", "x", 0.5).verdict() == ""
    assert Figure("chat", "x", problem="why").verdict() == "NOT MEASURED"


FIGURES = [
    Figure("stt", "words wrong", 0.0832, 150, Target("<=", 0.1), interval=(0.071, 0.1)),
    Figure("stt", "  people", 0.12, 50),
    Figure("tts", "real-time factor", 0.1234, 9, Target("<", 0.1), percent=False, digits=3),
    Figure("tts", "the rest", problem="the server stopped during the request for the last sentence"),
]


def test_table() -> None:
    assert table(FIGURES).splitlines() == [
        "part  what               value  95 % interval    n  target",
        "----  ----------------  ------  -------------  ---  ---------  -----",
        "stt   words wrong        8.3 %     7.1 … 10.0  150  <= 10.0 %  PASS",
        "        people          12.0 %                  50",
        "tts   real-time factor   0.123                   9  < 0.100    BELOW",
        "      the rest          NOT MEASURED: the server stopped during the request for the last sentence",
    ]


def test_summary() -> None:
    assert summary(FIGURES).splitlines() == [
        "1 of 2 targets met.",
        "BELOW: tts, real-time factor: 0.123, wanted < 0.100",
        "NOT MEASURED: tts, the rest: the server stopped during the request for the last sentence",
    ]


def test_json_has_shares_and_targets() -> None:
    assert FIGURES[0].as_json() == {
        "part": "stt", "name": "words wrong", "value": 0.0832, "n": 150, "target": {"sign": "<=", "value": 0.1},
        "interval_95": (0.071, 0.1), "verdict": "PASS", "problem": ""}


def test_interrupt_shows_what_was_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def measure(options: argparse.Namespace, measured: list[Figure]) -> None:
        measured.append(FIGURES[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "measure", measure)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)  # keep the handlers of the tests
    with pytest.raises(KeyboardInterrupt):
        program.main([])
    assert "words wrong" in capsys.readouterr().out
