"""Live speech of people with a published model, through every form of streaming, and recordings of people."""

import os
import pathlib
import statistics
from collections.abc import Iterator

import modelgateway
from modelgateway import audio

from . import people, scores, server, streams
from .figures import Figure, Target
from .hearing import error_rate
from .run import LOCAL, Run, Unmeasured
from .sounds import RATE

MODEL = "MG_EVAL_WHISPER"  # the file of the model; scripts/models-eval.sh sets the variable
PROGRAM = pathlib.Path(__file__).resolve().parents[3] / "bin" / "modelgateway"
LONG = 600  # seconds
WORSE = 0.01  # by how much the error rate of live speech may be above that of recordings
# Seconds until a word is told, median and 95 %, and from the end of speech to the final result; with two streams at once,
# twice as many.
TOLD, LATE, REST = 1.0, 2.0, 1.0
COST = 3.0  # processor time of live speech, times that of the same recordings


def live(run: Run) -> Iterator[Figure]:
    """Yields figures about recordings, then about each form of streaming, then about ten minutes of speech."""
    if not os.environ.get(MODEL):
        raise Unmeasured("no package registry can be reached, so there is no published model that understands people")
    everyone = people.clips()[:run.count]
    with server.serving(PROGRAM, ["--starters-only"], {"WHISPER_MODEL_PATH": os.environ[MODEL]}) as addresses, \
            modelgateway.Client(addresses.grpc, timeout=streams.TIMEOUT) as client:
        recordings = Recordings(run, client)
        meter = Meter(client)
        whole = recordings.errors("clips", everyone, lambda clip: audio_of(clip))
        cost = meter.read()
        yield error_rate("live", "words wrong, recordings", whole, None)
        yield from recordings.variants(everyone)
        best = scores.rate(whole)
        meter.read()
        for name, form in streams.FORMS.items():
            yield from _streamed(run, name, form, addresses, everyone, best)
            yield Figure("live", "  processor time, times that of recordings", meter.read() / cost, len(everyone),
                         Target("<=", COST), percent=False)
        yield from _streamed(run, "gRPC, two at once", streams.FORMS["gRPC"], addresses, everyone, best, 2)
        long = people.repeated(everyone, LONG if run.count is None else 25)
        text = client.recognize(long.pcm, format=audio.pcm_s16le(RATE), language="en", routing=LOCAL).transcript.text
        counts = [people.errors(long.text, text)]
        label = f"{long.seconds / 60:.0f} min" if run.count is None else f"{long.seconds:.0f} s"
        yield error_rate("live", f"words wrong, recording of {label}", counts, None)
        yield from _streamed(run, f"gRPC, {label}", streams.FORMS["gRPC"], addresses, [long], scores.rate(counts))


class Meter:
    """Measures the processor time of the model's worker."""

    def __init__(self, client: modelgateway.Client):
        client.recognize(audio.Wav(b"\0\0" * RATE, RATE).to_bytes(), routing=LOCAL)  # loads the model
        self.workers = [model.worker_pid for model in client.list_models() if model.worker_pid]
        self.seconds = 0.0
        self.read()

    def read(self) -> float:
        """Returns the processor time since the last call."""
        before, self.seconds = self.seconds, sum(server.processor_seconds(pid) for pid in self.workers)
        return self.seconds - before


def audio_of(clip: people.Clip) -> bytes:
    return audio.Wav(clip.pcm, RATE).to_bytes()


class Recordings:
    """Transcribes whole recordings."""

    def __init__(self, run: Run, client: modelgateway.Client):
        self.run, self.client = run, client

    def texts(self, label: str, files: list[bytes]) -> list[str]:
        def heard(file: bytes) -> str:
            return self.client.recognize(file, language="en", routing=LOCAL).transcript.text

        return self.run.progress.each(f"live, {label}", files, heard, 2)

    def errors(self, label: str, clips: list[people.Clip], encode) -> list[tuple[int, int]]:
        texts = self.texts(label, [encode(clip) for clip in clips])
        if self.run.verbose:
            for clip, text in zip(clips, texts):
                print(f"{label}: {clip.text!r} → {text!r}")
        return [people.errors(clip.text, text) for clip, text in zip(clips, texts)]

    def variants(self, clips: list[people.Clip]) -> Iterator[Figure]:
        """Yields error rates over a telephone, in noise, and of speakers in turn, then how formats change the text."""
        telephone = self.errors("telephone", clips, lambda clip: people.encoded(clip, people.TELEPHONE))
        yield error_rate("live", "words wrong, telephone (8 kHz, µ-law)", telephone, None)
        noisy = [people.noisy(clip, 10) for clip in clips]
        yield error_rate("live", "words wrong, noise 10 dB below", self.errors("noise", noisy, audio_of), None)
        turns = [people.joined(list(pair)) for pair in zip(clips, reversed(clips[len(clips) // 2:]))]
        yield error_rate("live", "words wrong, speakers in turn", self.errors("in turn", turns, audio_of), None)
        plain = self.texts("WAV", [audio_of(clip) for clip in clips])
        for name, form in people.FORMATS.items():
            texts = self.texts(name, [people.encoded(clip, form) for clip in clips])
            counts = [scores.word_errors(text, other) for text, other in zip(plain, texts)]
            # FLAC loses nothing; the others may change a word.
            yield error_rate("live", f"words unlike WAV, {name}", counts, Target("<=", 0.0 if name == "FLAC" else WORSE))


def _streamed(run: Run, name: str, form, addresses: server.Addresses, clips: list[people.Clip], best: float,
              at_once: int = 1) -> Iterator[Figure]:
    """Yields the error rate of clips that are sent at the pace of speech, changes of committed text, and delays."""
    heard = run.progress.each(f"live, {name}", clips, lambda clip: streams.play(form, addresses, clip.pcm, RATE), at_once)
    if run.verbose:
        for clip, one in zip(clips, heard):
            print(f"{name}: {clip.text!r} → {one.text!r}")
    counts = [people.errors(clip.text, one.text) for clip, one in zip(clips, heard)]
    yield error_rate("live", f"words wrong, {name}", counts, Target("<=", best + WORSE))
    changed = sum(one.changed for one in heard)
    yield Figure("live", "  changes of committed text", changed, len(clips), Target("=", 0), percent=False, digits=0)
    delays = [delay for one in heard for delay in one.delays]
    if len(delays) > 1:
        cuts = statistics.quantiles(delays, n=20)
        for label, cut, wanted in (("median", cuts[9], TOLD), ("95 %", cuts[18], LATE)):
            yield Figure("live", f"  seconds until a word is told, {label}", cut, len(delays), Target("<=", wanted * at_once),
                         percent=False)
    rests = [one.rest for one in heard]
    yield Figure("live", "  seconds to the final result, median", statistics.median(rests), len(rests),
                 Target("<=", REST * at_once), percent=False)
    yield Figure("live", "  seconds to the final result, longest", max(rests), len(rests), percent=False)
