"""Voices of the speech synthesisers of Debian, and how to make them speak.

Packages: espeak-ng, flite, festival, festvox-kallpc16k, festvox-kdlpc16k, festvox-us-slt-hts. flite's and festival's
voices come of recordings of people; espeak-ng's are formants by rule. Training never hears the voices of HELD_OUT: a
whole family of espeak-ng's (the Klatt synthesiser), ordinary variants of it, and a person.
"""

import dataclasses
import io
import pathlib
import random
import subprocess
import tempfile

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

RATE = 16000
ACCENTS = ["en-us"] * 6 + ["en-gb"] * 3 + ["en-gb-x-rp"]
# Those that sound like somebody: no whisper, croak or robot, and none that uses the Klatt synthesiser in disguise.
VARIANTS = ("m1 m2 m3 m4 m6 m7 f1 f2 f3 f5 Alex Andrea Annie Denis Gene Marco Mario Mike Nguyen max norbert pablo paul "
            "pedro quincy rob sandro steph travis").split()
TRAINED_SHARES = {"espeak-ng": 0.5, "flite": 0.37, "festival": 0.13}
FLITE = ["slt", "awb", "rms", "kal16"]
FESTIVAL = ["cmu_us_slt_arctic_hts", "kal_diphone"]
HELD_OUT = {  # by group
    "klatt": ("espeak-ng", ["klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6"]),
    "variants": ("espeak-ng", ["m5", "f4", "Michael", "miguel", "linda", "ed"]),
    "ked": ("festival", ["ked_diphone"]),
}


@dataclasses.dataclass(frozen=True)
class Voice:
    """A way to speak."""

    program: str
    name: str
    rate: float  # 1 is the program's own
    pitch: float  # espeak-ng: 0 to 1; flite: 1 is the voice's own; festival has no say in it

    def label(self) -> str:
        return f"{self.program}:{self.name}"

    def group(self) -> str:
        """Which voices belong together in the evaluation: a group of HELD_OUT, or of the training."""
        for group, (program, names) in HELD_OUT.items():
            if self.program == program and self.name.split("+")[-1] in names:
                return group
        return "formants" if self.program == "espeak-ng" else "people"


def trained(rng: random.Random) -> Voice:
    """Returns a voice for a sentence of the training."""
    program = rng.choices(list(TRAINED_SHARES), TRAINED_SHARES.values())[0]
    if program == "espeak-ng":
        variant = "+" + rng.choice(VARIANTS) if rng.random() < 0.9 else ""
        return Voice(program, rng.choice(ACCENTS) + variant, rng.uniform(0.65, 1.1), rng.uniform(0.25, 0.75))
    if program == "flite":
        return Voice(program, rng.choice(FLITE), rng.uniform(0.75, 1.15), rng.uniform(0.8, 1.3))
    return Voice(program, rng.choice(FESTIVAL), rng.uniform(0.8, 1.15), 0)


def held_out(rng: random.Random, group: str = "") -> Voice:
    """Returns a voice that training never hears, of a group of HELD_OUT or of any."""
    program, names = HELD_OUT[group or rng.choice(list(HELD_OUT))]
    if program == "espeak-ng":
        name = rng.choice(["en-us", "en-gb"]) + "+" + rng.choice(names)
        return Voice(program, name, rng.uniform(0.65, 1.0), rng.uniform(0.3, 0.7))
    return Voice(program, rng.choice(names), rng.uniform(0.85, 1.1), 0)


def speak(voice: Voice, texts: list[str]) -> list[np.ndarray]:
    """Returns the texts as spoken, int16 at RATE without long silences at the ends; empty where synthesis failed."""
    if voice.program == "festival":
        return [ends_cut(read(data)) for data in _festival(voice, texts)]
    say = _espeak if voice.program == "espeak-ng" else _flite
    return [ends_cut(read(say(voice, text))) for text in texts]


def _espeak(voice: Voice, text: str) -> bytes:
    return _run(["espeak-ng", "-v", voice.name, "-s", str(round(175 * voice.rate)), "-p", str(round(100 * voice.pitch)),
                 "--stdout", text])


def _flite(voice: Voice, text: str) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        _run(["flite", "-voice", voice.name, "--setf", f"duration_stretch={1 / voice.rate:.3f}", "--setf", f"f0_shift={voice.pitch:.2f}",
              "--setf", f"int_f0_target_mean={105 * voice.pitch:.0f}", "-t", text, "-o", file.name])
        return pathlib.Path(file.name).read_bytes()


def _festival(voice: Voice, texts: list[str]) -> list[bytes]:
    with tempfile.TemporaryDirectory() as directory:
        files = [pathlib.Path(directory) / f"{i}.wav" for i in range(len(texts))]
        script = [f"(voice_{voice.name})", f"(Parameter.set 'Duration_Stretch {1 / voice.rate:.3f})"]
        for text, file in zip(texts, files):
            script.append(f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{file}" \'riff)')
        path = pathlib.Path(directory) / "say.scm"
        path.write_text("\n".join(script))
        _run(["festival", "-b", str(path)])
        return [f.read_bytes() if f.exists() else b"" for f in files]


def _run(command: list[str]) -> bytes:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300).stdout


def read(data: bytes) -> np.ndarray:
    """Reads a WAV file (of unknown length, as espeak-ng writes to a pipe, too) and brings it to RATE."""
    if len(data) < 100:
        return np.zeros(0, np.int16)
    if data[:4] == b"RIFF" and int.from_bytes(data[40:44], "little") > len(data):
        data = data[:40] + (len(data) - 44).to_bytes(4, "little") + data[44:]
        data = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
    rate, samples = wavfile.read(io.BytesIO(data))
    if rate != RATE:
        shared = int(np.gcd(rate, RATE))
        samples = resample_poly(samples.astype(np.float32), RATE // shared, rate // shared)
    return np.clip(samples, -32768, 32767).astype(np.int16)


def ends_cut(samples: np.ndarray, keep: float = 0.06) -> np.ndarray:
    """Cuts silence at the ends down to `keep` seconds."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 0.01 * max(1, np.abs(samples.astype(np.int32)).max(initial=0)))
    if len(loud) == 0:
        return np.zeros(0, np.int16)
    margin = int(keep * RATE)
    return samples[max(0, loud[0] - margin):loud[-1] + margin]
