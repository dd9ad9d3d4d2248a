"""Text to phonemes as in the engine, with piper-tts, which has its own libespeak-ng."""

import pathlib
import re
import unicodedata

import piper
from piper import espeakbridge

LANGUAGE_SWITCH = re.compile(r"\([^)]+\)")
_ready = False


def clauses(text: str):
    """What espeak-ng makes of the clauses of a text: their phonemes, the mark behind them, whether they end a sentence."""
    global _ready
    if not _ready:
        espeakbridge.initialize(str(pathlib.Path(piper.__file__).parent / "espeak-ng-data"))
        espeakbridge.set_voice("en-us")
        _ready = True
    return espeakbridge.get_phonemes(text)


def sentences(text: str) -> list[list[str]]:
    """Returns the sentences of a text, each as its symbols: code points, decomposed (NFD)."""
    found, current = [], []
    for spoken, mark, ends in clauses(text):
        spoken = LANGUAGE_SWITCH.sub("", spoken) + mark + (" " if mark in tuple(",:;") else "")
        current += list(unicodedata.normalize("NFD", spoken))
        if ends:
            found.append(current)
            current = []
    return [symbols for symbols in (*found, current) if symbols]
