"""Tests how the corpus of experts' scores is read, and that the part needs it."""

import json
import pathlib
import subprocess

import pytest
from eval import experts, scores
from eval.run import Unmeasured

from test_run import command, temporary, variables  # noqa: F401  fixtures


def corpus(folder: pathlib.Path) -> pathlib.Path:
    """Writes two readings as speechocean762 has them: one of a child, one of an adult."""
    (folder / "test").mkdir()
    for name, lines in {"utt2spk": "a1 a\nb1 b\n", "spk2age": "a\t9\nb\t31\n", "wav.scp": "a1\tWAVE/a1.WAV\nb1\tWAVE/b1.WAV\n",
                        "text": "a1\tWE CALL IT BEAR\nb1\tYES\n"}.items():
        (folder / "test" / name).write_text(lines)
    entries = {"a1": {"total": [7, 9], "words": [{"total": [10, 10]}, {"total": [4, 6]}, {"total": [9, 9]}, {"total": [1, 2]}]},
               "b1": {"total": [10, 10], "words": [{"total": [10, 9]}]}}
    (folder / "scores-test.jsonl").write_text("".join(f"{name}\t{json.dumps(entry)}\n" for name, entry in entries.items()))
    return folder


def test_the_mean_of_the_experts_counts(tmp_path: pathlib.Path) -> None:
    child, adult = experts.load(corpus(tmp_path))
    assert (child.text, child.child, child.total, child.words) == ("WE CALL IT BEAR", True, 8, [10, 5, 9, 1.5])
    assert (adult.child, adult.total, adult.words, adult.path) == (False, 10, [9.5], tmp_path / "WAVE/b1.WAV")


def test_published_file_of_scores(tmp_path: pathlib.Path) -> None:
    folder = corpus(tmp_path)
    (folder / "scores-test.jsonl").unlink()
    (folder / "resource").mkdir()
    (folder / "resource/scores.json").write_text(json.dumps({"b1": {"total": 7, "words": [{"total": 6}]}}))
    assert [(r.name, r.total, r.words) for r in experts.load(folder)] == [("b1", 7, [6])]


def test_another_folder_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(Unmeasured, match="is not speechocean762 with its scores"):
        experts.load(tmp_path)


def test_the_part_needs_a_folder(variables: dict[str, str]) -> None:  # noqa: F811
    run = subprocess.run(command("--only", "experts"), env=variables, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2 and "--speechocean FOLDER" in run.stderr


def test_correlation() -> None:
    pairs = [(1, 1), (2, 3), (3, 2), (4, 4)]
    assert scores.correlation(pairs) == pytest.approx(0.8)
    low, high = scores.correlation_interval(pairs * 100)
    assert 0.7 < low < 0.8 < high < 0.9
