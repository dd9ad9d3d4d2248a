"""Text to speech: how well Recognize understands it compared with espeak-ng, how long it takes, and the round trip."""

import statistics
import time
from collections.abc import Iterator

import numpy as np
from modelgateway import audio
from speech import voices

from . import scores
from .figures import Figure, Target
from .hearing import AT_ONCE, error_rate, heard, held_out_sentences
from .run import LOCAL, Run
from .sounds import microphone

SENTENCES = 300
SEED = 7101
WARM = 3  # sentences before the time is measured
COMPARED = voices.Voice("espeak-ng", "en-us", 1.0, 0.5)  # the defaults of espeak-ng
EXAMPLE = "Hello there. How are you today?"  # from the project's README


def text_to_speech(run: Run) -> Iterator[Figure]:
    """Yields the word error rate of Synthesize → Recognize, that of espeak-ng's speech, and the real-time factor."""
    texts = held_out_sentences(run, SENTENCES, SEED)
    for text in texts[:WARM]:
        said(run, text)
    factors: list[float] = []

    def timed(text: str) -> audio.Wav:
        started = time.perf_counter()
        wav = said(run, text)
        factors.append((time.perf_counter() - started) / wav.seconds)
        return wav

    spoken = run.progress.each("tts: speaking", texts, timed)
    got = run.progress.each("tts: listening", spoken, lambda wav: heard(run, wav.pcm, wav.sample_rate), AT_ONCE)
    counts = [scores.word_errors(text, words) for text, words in zip(texts, got)]
    yield error_rate("tts", "words wrong", counts, Target("<=", 0.15))
    noise = np.random.default_rng(SEED)
    clips = run.clips().say("tts, espeak-ng", [(COMPARED, text) for text in texts])
    sounds = [microphone(samples, noise) for samples in clips]
    others = run.progress.each("tts: listening to espeak-ng", sounds, lambda pcm: heard(run, pcm), AT_ONCE)
    compared = [scores.word_errors(text, words) for text, words in zip(texts, others)]
    yield error_rate("tts", "words wrong, espeak-ng's speech", compared, None)
    yield Figure("tts", "more wrong than espeak-ng's", scores.rate(counts) - scores.rate(compared), len(texts),
                 Target("<=", 0.0), interval=scores.difference_interval(counts, compared))
    yield Figure("tts", "real-time factor, median", statistics.median(factors), len(factors), Target("<", 0.1),
                 percent=False, digits=3)
    if run.verbose:
        for text, own, other in zip(texts, got, others):
            print(f"tts: {text!r} → {own!r}; espeak-ng's: {other!r}")


def said(run: Run, text: str) -> audio.Wav:
    """Returns a text as spoken by Synthesize."""
    with run.client.synthesize(text, routing=LOCAL) as speech:
        return speech.wav()


def round_trip(run: Run) -> Iterator[Figure]:
    """Yields the result of the README's example: text → speech → text, and its pronunciation without omissions."""
    wav = said(run, EXAMPLE)
    back = heard(run, wav.pcm, wav.sample_rate)
    answer = run.client.pronunciation(wav.to_bytes(), EXAMPLE, routing=LOCAL)
    judged = [(word.text, word.error_type) for word in answer.words]
    problem = scores.trip_problem(EXAMPLE, back, judged)
    if problem:
        run.progress.say(f"roundtrip: {problem}")
    if run.verbose:
        print(f"roundtrip: {EXAMPLE!r} → {back!r}; {[(word.text, round(word.score)) for word in answer.words]}")
    yield Figure("roundtrip", "example of the README comes back", float(not problem), 1, Target("=", 1.0), digits=0)
