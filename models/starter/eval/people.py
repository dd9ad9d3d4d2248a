"""People's speech: recordings with transcripts, joined, damaged and in other formats."""

import dataclasses
import os
import pathlib
import re
import subprocess
import wave

import numpy as np

from . import scores
from .run import Unmeasured
from .sounds import RATE

# Debian's package pocketsphinx-testdata: a reader of LibriVox, and a player of cards.
FOLDER = pathlib.Path("/usr/share/pocketsphinx/test/data")
SETS = (("librivox", "librivox/transcription"), ("cards", "cards/cards.transcription"))
WRONG = {"004"}  # its transcript is not what is said
# A part of a speech, in the samples of whisper.cpp's Go binding. scripts/models-eval.sh sets the variable.
SPEECH = ("MG_EVAL_SPEECH", "and so my fellow americans ask not what your country can do for you "
                            "ask what you can do for your country")
PAUSE = 0.6  # seconds between joined clips
# How models write words of the transcripts.
SPELLED = {"mr": "mister", **{str(i): word for i, word in enumerate(
    "zero one two three four five six seven eight nine ten".split())}}


@dataclasses.dataclass(frozen=True)
class Clip:
    """A recording as 16-bit samples at RATE, and what is said in it."""

    samples: np.ndarray
    text: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    @property
    def pcm(self) -> bytes:
        return self.samples.astype("<i2").tobytes()


def clips() -> list[Clip]:
    """Returns the recordings of all speakers, of 1 to 11 seconds."""
    found = [Clip(_samples(FOLDER / folder / f"{name}.wav"), text)
             for folder, transcripts in SETS for text, name in _transcripts(FOLDER / transcripts) if name not in WRONG]
    name, text = SPEECH
    if os.environ.get(name):
        found.append(Clip(_samples(pathlib.Path(os.environ[name])), text))
    return found


def _transcripts(file: pathlib.Path) -> list[tuple[str, str]]:
    if not file.exists():
        raise Unmeasured(f"{file} does not exist; is Debian's package pocketsphinx-testdata installed?")
    return [(text.strip(), name) for text, name in re.findall(r"<s>(.*?)</s>\s*\((.*?)\)", file.read_text())]


def _samples(file: pathlib.Path) -> np.ndarray:
    with wave.open(str(file)) as sound:
        if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (RATE, 1, 2):
            raise Unmeasured(f"{file} is not 16-bit mono at {RATE} Hz")
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def errors(said: str, heard: str) -> tuple[int, int]:
    """Returns (wrong words, words said). Numbers and titles may be written in either way."""
    return scores.word_errors(said, " ".join(SPELLED.get(word, word) for word in scores.normalise(heard).split()))


def joined(parts: list[Clip]) -> Clip:
    """Returns one recording of several clips, with pauses between them."""
    pause = np.zeros(int(PAUSE * RATE), "<i2")
    samples = [piece for clip in parts for piece in (clip.samples, pause)]
    return Clip(np.concatenate(samples[:-1]), " ".join(clip.text for clip in parts))


def repeated(parts: list[Clip], seconds: float) -> Clip:
    """Returns a recording of at least a length: all clips again and again, in another order each time."""
    rng, chosen = np.random.default_rng(9), []
    while sum(clip.seconds + PAUSE for clip in chosen) < seconds:
        chosen += [parts[i] for i in rng.permutation(len(parts))]
    return joined(chosen)


def noisy(clip: Clip, decibels: float) -> Clip:
    """Returns the clip with white noise that is so much softer than its speech."""
    speech = clip.samples.astype(float)
    level = speech.std() * 10 ** (-decibels / 20)
    mixed = speech + np.random.default_rng(len(speech)).standard_normal(len(speech)) * level
    return Clip(np.clip(mixed, -32768, 32767).astype("<i2"), clip.text)


# For each format: name of the file, and FFmpeg's options.
FORMATS = {
    "FLAC": ("flac", []),
    "Ogg/Opus, 24 kbit/s": ("opus", ["-c:a", "libopus", "-b:a", "24k"]),
    "WebM/Opus, 32 kbit/s": ("webm", ["-c:a", "libopus", "-b:a", "32k"]),
    "MP3, 64 kbit/s": ("mp3", ["-c:a", "libmp3lame", "-b:a", "64k", "-ar", "44100"]),
}
TELEPHONE = ("wav", ["-ar", "8000", "-c:a", "pcm_mulaw"])


def encoded(clip: Clip, form: tuple[str, list[str]]) -> bytes:
    """Returns the clip as a file in a format."""
    container, options = form
    command = ["ffmpeg", "-loglevel", "error", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-", *options]
    try:
        return subprocess.run([*command, "-f", container, "-"], input=clip.pcm, stdout=subprocess.PIPE, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unmeasured(f"cannot encode speech with ffmpeg: {error}") from error
