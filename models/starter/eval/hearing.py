"""Speech to text: held-out sentences in trained and in new voices, and sounds without words."""

import random
from collections.abc import Iterator

import numpy as np
from modelgateway import audio
from speech import sentences, voices

from . import scores
from .figures import Figure, Target
from .run import LOCAL, Run
from .sounds import RATE, empty, microphone

AT_ONCE = 2  # concurrent requests that the server's model serves
SENTENCES = 180  # in each group of voices
SEED = 7001
GROUPS = (("trained voices", voices.trained, Target("<=", 0.10)), ("new voices", voices.held_out, Target("<=", 0.25)))


def heard(run: Run, pcm: bytes, rate: int = RATE) -> str:
    """Returns the text of mono PCM by Recognize."""
    answer = run.client.recognize(pcm, format=audio.pcm_s16le(rate), language="en", routing=LOCAL)
    return answer.transcript.text


def held_out_sentences(run: Run, enough: int, seed: int) -> list[str]:
    """Returns sentences that are held out of the training by their hash."""
    return [text for text, _ in sentences.make(seed, run.most(enough), True, sentences.SENTENCE)]


def speech_to_text(run: Run) -> Iterator[Figure]:
    """Yields the word error rate of Recognize for each group of voices, then the words found in sounds without words."""
    clips = run.clips()
    for seed, (group, draw, target) in enumerate(GROUPS, SEED):
        rng, noise = random.Random(seed), np.random.default_rng(seed)
        wanted = [(draw(rng), text) for text in held_out_sentences(run, SENTENCES, seed)]
        sounds = [microphone(samples, noise) for samples in clips.say(f"stt, {group}", wanted)]
        texts = run.progress.each(f"stt, {group}", sounds, lambda pcm: heard(run, pcm), AT_ONCE)
        counts = [scores.word_errors(text, got) for (_, text), got in zip(wanted, texts)]
        if run.verbose:
            for (voice, text), got in zip(wanted, texts):
                print(f"{voice.label()}: {text!r} → {got!r}")
        yield error_rate("stt", f"words wrong, {group}", counts, target)
        for kind in sorted({voice.group() for voice, _ in wanted}):
            some = [count for (voice, _), count in zip(wanted, counts) if voice.group() == kind]
            yield error_rate("stt", f"  {kind}", some, None)
    for kind, sounds in empty(SEED).items():
        sounds = sounds[:run.most(len(sounds))]
        texts = run.progress.each(f"stt, {kind}", sounds, lambda pcm: heard(run, pcm), AT_ONCE)
        if run.verbose:
            print(f"{kind}: {[text for text in texts if scores.normalise(text)]}")
        words = sum(len(scores.normalise(text).split()) for text in texts)
        yield Figure("stt", f"words heard in {kind}", words, len(texts), Target("=", 0), percent=False, digits=0)


def error_rate(part: str, name: str, counts: list[tuple[int, int]], target: Target | None) -> Figure:
    return Figure(part, name, scores.rate(counts), len(counts), target, interval=scores.rate_interval(counts))
