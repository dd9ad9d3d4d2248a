"""Speech of the synthesizers, cached in a folder for later runs."""

import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .progress import Progress
from .run import Unmeasured

if TYPE_CHECKING:
    from speech.voices import Voice

Speak = Callable[["Voice", list[str]], list[np.ndarray]]


class Clips:
    """Synthesizes sentences with voices. Speech that is already in the folder is not synthesized again."""

    def __init__(self, folder: pathlib.Path, speak: Speak, code: bytes, progress: Progress, workers: int):
        """speak is speech.voices.speak. code, its source, and the synthesizers' versions are part of the cache key."""
        self.folder, self.speak, self.code, self.progress, self.workers = folder, speak, code, progress, workers
        self.versions: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def say(self, label: str, wanted: "list[tuple[Voice, str]]") -> list[np.ndarray]:
        """Returns each text in its voice, as int16 at sounds.RATE."""
        places = [self._place(voice, text) for voice, text in wanted]
        missing = {place: said for place, said in zip(places, wanted) if not place.exists()}
        if missing:
            self.progress.each(f"{label}: synthesizing", missing.items(), lambda item: self._make(*item), self.workers)
        return [np.fromfile(place, "<i2") for place in places]

    def _place(self, voice: "Voice", text: str) -> pathlib.Path:
        key = json.dumps([self._version(voice.program), dataclasses.astuple(voice), text])
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.pcm"

    def _make(self, place: pathlib.Path, said: "tuple[Voice, str]") -> None:
        voice, text = said
        samples = self.speak(voice, [text])[0]
        if len(samples) == 0:
            raise Unmeasured(f"{voice.label()} gave no audio for {text!r}; is its Debian package installed?")
        temporary = place.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(samples.astype("<i2").tobytes())
        temporary.rename(place)  # so that the file is always complete

    def _version(self, program: str) -> str:
        if program not in self.versions:
            try:
                told = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=60).stdout
            except OSError as error:
                raise Unmeasured(f"cannot run {program}: {error.strerror}") from error
            self.versions[program] = hashlib.sha256(told + self.code).hexdigest()
        return self.versions[program]
