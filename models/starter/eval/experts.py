"""Pronunciation: how well the scores agree with experts, on the test part of speechocean762 (CC BY 4.0).

The corpus is in no package registry: `--speechocean FOLDER` names a clone of github.com/jimbozhang/speechocean762. Its
file of scores is resource/scores.json, or scores-test.jsonl, a line for each reading with its name, a tab and JSON.
"""

import dataclasses
import json
import pathlib
import wave
from collections.abc import Iterator

import numpy as np
from modelgateway import audio

from . import scores
from .figures import Figure, Target
from .run import LOCAL, Run, Unmeasured
from .sounds import RATE

FILES = ("scores-test.jsonl", "resource/scores.json")
CHILD = 16  # years; younger speakers are children
POOR, GOOD, FLAWLESS = 5, 9, 9.5  # of 10, for words
FLAGGED = 60  # score below which a word is reported as mispronounced


@dataclasses.dataclass(frozen=True)
class Reading:
    """A reading with the experts' scores, 0 to 10."""

    name: str
    text: str
    path: pathlib.Path
    child: bool
    total: float
    words: list[float]


def load(folder: pathlib.Path) -> list[Reading]:
    """Reads the test part. Where each expert's score is told, the mean counts."""
    def table(name: str) -> dict[str, str]:
        return dict(line.split(maxsplit=1) for line in (folder / "test" / name).read_text().splitlines())

    try:
        speakers, ages, paths, texts = (table(name) for name in ("utt2spk", "spk2age", "wav.scp", "text"))
        file = next(folder / name for name in FILES if (folder / name).exists())
        lines = file.read_text().splitlines()
        entries = ({name: json.loads(entry) for name, entry in (line.split("\t", 1) for line in lines)}
                   if file.suffix == ".jsonl" else json.loads("\n".join(lines)))
    except (OSError, ValueError, StopIteration) as error:
        raise Unmeasured(f"{folder} is not speechocean762 with its scores ({' or '.join(FILES)}): {error}") from error
    return [Reading(name, text.strip(), folder / paths[name], int(ages[speakers[name]]) < CHILD, float(np.mean(entries[name]["total"])),
                    [float(np.mean(word["total"])) for word in entries[name]["words"]])
            for name, text in sorted(texts.items()) if name in entries]


def experts(run: Run) -> Iterator[Figure]:
    """Yields correlations with the experts' scores, and how the scores read beside theirs."""
    readings = load(run.speechocean)
    count = run.most(len(readings))
    readings = [readings[i] for i in sorted(np.random.default_rng(1).choice(len(readings), count, replace=False))]
    answers = run.progress.each("pronunciation, experts", readings, lambda reading: judge(run, reading))
    rated = [(reading, answer) for reading, answer in zip(readings, answers) if len(answer[1]) == len(reading.words)]
    totals = np.array([(answer[0], reading.total) for reading, answer in rated])
    words = np.array([(mine, theirs) for reading, answer in rated for mine, theirs in zip(answer[1], reading.words) if mine is not None])
    children = np.array([reading.child for reading, _ in rated])
    yield _correlation("experts' score of a sentence, correlation", totals, Target(">=", 0.65))
    yield _correlation("  children", totals[children], None)
    yield _correlation("  adults", totals[~children], None)
    yield _correlation("experts' score of a word, correlation", words, Target(">=", 0.45))
    good, poor = (words[chosen, 0] for chosen in (words[:, 1] > GOOD, words[:, 1] < POOR))
    yield Figure("experts", f"AUC, words above {GOOD} against words below {POOR}", scores.area(good, poor), len(poor), Target(">=", 0.85),
                 percent=False, digits=3)
    for least in range(4, 10):
        chosen = totals[np.abs(totals[:, 1] - least) < 0.5, 0]
        if len(chosen):
            yield Figure("experts", f"mean score of sentences that experts rated about {least}", float(chosen.mean()), len(chosen), percent=False)
    flawless = words[words[:, 1] >= FLAWLESS, 0] < FLAGGED
    yield _share(f"words of at least {FLAWLESS} that are reported", flawless)
    yield _share(f"words below {POOR} that are reported", poor < FLAGGED)
    yield _share("sentences with less than 60", totals[:, 0] < FLAGGED)
    yield _share("words that are not in the dictionary", np.array([word is None for _, answer in rated for word in answer[1]]))


def judge(run: Run, reading: Reading) -> tuple[float, list[float | None]]:
    """Returns the overall score, and that of each word; None if it is not scored."""
    with wave.open(str(reading.path)) as file:
        pcm = file.readframes(file.getnframes())
    answer = run.client.pronunciation(pcm, reading.text.lower(), format=audio.pcm_s16le(RATE), routing=LOCAL)
    words = [word for word in answer.words if word.error_type != scores.INSERTION]
    return answer.overall_score, [word.score if word.error_type else None for word in words]


def _correlation(name: str, pairs: np.ndarray, target: Target | None) -> Figure:
    return Figure("experts", name, scores.correlation(pairs), len(pairs), target, percent=False, digits=3,
                  interval=scores.correlation_interval(pairs))


def _share(name: str, told: np.ndarray) -> Figure:
    return Figure("experts", name, float(told.mean()), len(told), interval=scores.share_interval(int(told.sum()), len(told)))
