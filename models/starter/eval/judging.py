"""Pronunciation: scores of right words and of similar words, omitted words, words wrongly reported as omitted."""

import random
from collections.abc import Iterator

import numpy as np
from modelgateway import audio
from speech import sentences, voices, words

from . import scores
from .figures import Figure, Target
from .run import LOCAL, Run
from .sounds import RATE, microphone

SEED = 99
SENTENCES = 60  # with a word left out
GROUPS = (("trained voices", voices.trained), ("new voices", voices.held_out))
TOLD = Target(">=", 0.90)  # share of the omitted words that must be reported


def judged(run: Run, reference: str, pcm: bytes) -> list[tuple[float, int]]:
    """Returns (score, error type) of the words of the reference text, without insertions."""
    answer = run.client.pronunciation(pcm, reference, format=audio.pcm_s16le(RATE), routing=LOCAL)
    return [(word.score, word.error_type) for word in answer.words if word.error_type != scores.INSERTION]


def pronunciation(run: Run) -> Iterator[Figure]:
    """Yields for each group of voices the areas under the ROC curve, and figures about omitted words."""
    for group, draw in GROUPS:
        yield from _pairs(run, "AUC, neighbours told apart", group, draw, words.PAIRS, Target(">=", 0.85))
        yield from _pairs(run, "AUC, words never trained", group, draw, words.UNSEEN_PAIRS, None)
        yield from _omissions(run, group, draw)


def _pairs(run: Run, name: str, group: str, draw, pairs, target: Target | None) -> Iterator[Figure]:
    """Synthesizes each word of the pairs in a held-out sentence, and requests its score and that of its neighbour."""
    rng, noise = random.Random(SEED), np.random.default_rng(SEED)
    chosen = rng.sample(pairs, run.most(len(pairs)))
    asked = [(said, other, rng.choice(sentences.CARRIERS), draw(rng)) for pair in chosen
             for said, other in (pair, pair[::-1])]
    label = f"pronunciation, {name}, {group}"
    clips = run.clips().say(label, [(voice, carrier.format(said)) for said, _, carrier, voice in asked])
    sounds = [microphone(samples, noise) for samples in clips]

    def compare(case) -> tuple[float, float]:
        (said, other, carrier, _), pcm = case
        at = carrier.split().index("{}")
        return tuple(judged(run, carrier.format(word), pcm)[at][0] for word in (said, other))

    both = run.progress.each(label, zip(asked, sounds), compare)
    if run.verbose:
        for (said, other, _, voice), (right, wrong) in zip(asked, both):
            print(f"{group}, {voice.label()}: {said} {right:.0f}, {other} {wrong:.0f}")
    yield _area(f"{name}, {group}", both, target)
    if target is None:
        return
    for kind in sorted({voice.group() for *_, voice in asked}):
        yield _area(f"  {kind}", [scored for (*_, voice), scored in zip(asked, both) if voice.group() == kind], None)
    above = [right > wrong for right, wrong in both]
    yield _share(f"right word above its neighbour, {group}", above, None)
    for kind, values in zip(("right words", "neighbours"), zip(*both)):
        yield Figure("pronunciation", f"mean score of {kind}, {group}", float(np.mean(values)), len(values), percent=False)


def _omissions(run: Run, group: str, draw) -> Iterator[Figure]:
    """Synthesizes held-out sentences, once with a word left out and once complete."""
    rng, noise = random.Random(SEED), np.random.default_rng(SEED)
    count = run.most(SENTENCES)
    held_out = sentences.make(SEED, 4 * count, True, sentences.SENTENCE)
    texts = [text for text, _ in held_out if len(text.split()) >= 4][:count]
    places, wanted = [], []
    for text in texts:
        parts = text.split()
        at = rng.choice([i for i, part in enumerate(parts[:-1]) if len(part) > 2] or [0])
        voice = draw(rng)
        places.append(at)
        wanted += [(voice, " ".join(parts[:at] + parts[at + 1:])), (voice, text)]
    label = f"pronunciation, words left out, {group}"
    sounds = [microphone(samples, noise) for samples in run.clips().say(label, wanted)]
    references = [text for text in texts for _ in range(2)]
    answers = run.progress.each(label, zip(references, sounds), lambda case: judged(run, *case))
    found = [answer[at][1] == scores.OMISSION for at, answer in zip(places, answers[::2])]
    false = [error == scores.OMISSION for answer in answers[1::2] for _, error in answer]
    yield _share(f"word left out is reported, {group}", found, TOLD)
    yield _share(f"word said is reported as left out, {group}", false, None)
    well = [score for answer in answers[1::2] for score, _ in answer]
    yield Figure("pronunciation", f"mean score of words said, {group}", float(np.mean(well)), len(well), percent=False)


def _area(name: str, both: list[tuple[float, float]], target: Target | None) -> Figure:
    right, wrong = zip(*both)
    return Figure("pronunciation", name, scores.area(right, wrong), len(both), target, percent=False, digits=3,
                  interval=scores.area_interval(right, wrong))


def _share(name: str, told: list[bool], target: Target | None) -> Figure:
    interval = scores.share_interval(sum(told), len(told))
    return Figure("pronunciation", name, sum(told) / len(told), len(told), target, interval=interval)
