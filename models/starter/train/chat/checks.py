"""Checks whether a chat answer is acceptable, by the kind of prompt."""

import re

from chat.heldout import letters

GREETINGS = ("hello", "hi", "good morning", "good afternoon", "good evening", "i am fine", "nice to", "welcome", "chào")
UNKNOWN = ("do not know", "don't know", "not sure", "only a small", "không biết")
ABOUT = ("tutor", "model", "help", "explain")
THANKS = ("welcome", "glad", "pleasure")
LONGEST = 60  # words of a short answer


def repeats(answer: str) -> bool:
    """Whether any four words come three times, as in a loop."""
    said = letters(answer).split()
    grams = [tuple(said[i:i + 4]) for i in range(len(said) - 3)]
    return any(grams.count(g) >= 3 for g in set(grams))


def _holds(answer: str, texts) -> bool:
    said = f" {letters(answer)} "
    return any(f" {letters(t)} " in said for t in texts)


def problem(kind: str, expected: tuple[str, ...], answer: str, finish_reason: str) -> str:
    """Returns "" if the answer will do, else what is wrong with it."""
    if not answer.strip():
        return "says nothing"
    if not finish_reason.upper().endswith("STOP"):
        return f"does not end by itself ({finish_reason})"
    if repeats(answer):
        return "repeats itself"
    if len(answer.split()) > LONGEST or re.search(r"<\|?\w+", answer):
        return "is no short answer"
    unknown = _holds(answer, UNKNOWN)
    if kind == "unknown":
        return "" if unknown else "does not say that it does not know"
    if unknown and kind != "about":
        return "says that it does not know"
    one_of = {"greeting": GREETINGS, "about": ABOUT, "thanks": THANKS}.get(kind)
    if one_of and not _holds(answer, one_of):
        return f"holds none of {', '.join(one_of)}"
    missing = [e for e in expected if not _holds(answer, [e])]
    return f"does not hold {', '.join(missing)}" if missing else ""
