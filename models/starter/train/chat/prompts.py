"""The system prompts of the server, read from its source so that training uses exactly the same."""

import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parents[4] / "engines/tutor/prompts.go"
_CONSTANT = re.compile(r"^(?:const |\t)(\w+)\s*=\s*((?:`[^`]*`|\w+)(?:\s*\+\s*(?:`[^`]*`|\w+))*)", re.MULTILINE)
_PART = re.compile(r"`([^`]*)`|(\w+)")


def load(source: pathlib.Path = SOURCE) -> dict[str, str]:
    """Returns the Go string constants of the file by name; a constant may join others with +."""
    expressions = dict(_CONSTANT.findall(source.read_text(encoding="utf-8")))

    def value(name):
        parts = _PART.finditer(expressions[name])
        return "".join(part[1] if part[1] is not None else value(part[2]) for part in parts)

    return {name: value(name) for name, text in expressions.items() if "`" in text}
