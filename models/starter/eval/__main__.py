"""Prints the held-out figures of the starter models beside their targets.

    make models-eval ARGS="--only stt,tts --json figures.json"

Exit status: 0 when all was measured, whatever came out; with --strict 1 where a target is missed; 3 when something
could not be measured; 130 after Ctrl-C.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time

PATIENCE = 900.0  # seconds for an answer: a busy machine makes the figures late, not wrong
ROOT = pathlib.Path(__file__).resolve().parents[3]
# The parts, the module and function of each, and whether it has synthesisers speak.
PARTS = {
    "stt": ("hearing", "speech_to_text", True),
    "tts": ("speaking", "text_to_speech", True),
    "pronunciation": ("judging", "pronunciation", True),
    "roundtrip": ("speaking", "round_trip", True),
    "grammar": ("language", "grammar", False),
    "chat": ("language", "chat", False),
}


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make models-eval", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=parts, default=list(PARTS), metavar="PART,…",
                        help=f"what to measure, of: {', '.join(PARTS)}")
    parser.add_argument("--count", type=positive, metavar="N", help="on at most N sentences, pairs … of each kind: quick, and rough")
    parser.add_argument("--server", metavar="HOST:PORT", help="a running server's gRPC address; none is started then")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed")
    parser.add_argument("--verbose", action="store_true", help="print what was asked and answered")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)  # for scripts/models-eval.sh
    options = parser.parse_args(argv)
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"there is no folder for {options.json}")  # told now, and not when all is done
    return options


def parts(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'} is no part; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in names]


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("is at least 1")
    return value


def cache() -> pathlib.Path:
    """Where synthesised speech is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "modelgateway" / "models-eval"


def measure(options: argparse.Namespace, measured: list) -> None:
    """Adds the figures to the list as they come; of a part that breaks off, one that says why."""
    import contextlib

    import modelgateway

    from . import server
    from .progress import Progress
    from .run import Run

    progress = Progress()
    with contextlib.ExitStack() as stack:
        address = options.server or stack.enter_context(server.running(ROOT / "bin" / "modelgateway"))
        client = stack.enter_context(modelgateway.Client(address, timeout=PATIENCE))
        progress.say(f"server {client.status().version} at {address}")
        run = Run(client, progress, cache(), options.count, options.verbose, os.cpu_count() or 1)
        for name in options.only:
            add_part(name, run, measured)


def add_part(name: str, run, measured: list) -> None:
    import importlib

    import modelgateway

    from .figures import Figure
    from .run import Unmeasured

    module, function, _ = PARTS[name]
    before = len(measured)
    try:
        for figure in getattr(importlib.import_module(f".{module}", __package__), function)(run):
            measured.append(figure)
    except (modelgateway.ModelGatewayError, Unmeasured) as error:
        measured.append(Figure(name, "broken off" if measured[before:] else "all of it", problem=str(error)))


def main(argv: list[str]) -> int:
    options = arguments(argv)
    if options.needs:
        print("" if options.server else "server", "speech" if any(PARTS[name][2] for name in options.only) else "")
        return 0
    import modelgateway

    from .figures import summary, table
    from .server import NoServer

    for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: the server is stopped
        signal.signal(ending, signal.default_int_handler)
    started, measured = time.monotonic(), []
    try:
        measure(options, measured)
    except KeyboardInterrupt:
        if measured:
            print(f"\n{table(measured)}")
        raise
    except (NoServer, modelgateway.ModelGatewayError) as error:
        print(f"models-eval: {error}", file=sys.stderr)
        return 3
    seconds = round(time.monotonic() - started)
    print(f"\n{table(measured)}\n\nMeasured in {seconds} s. {summary(measured)}")
    if options.json:
        text = json.dumps({"figures": [f.as_json() for f in measured], "seconds": seconds}, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    verdicts = {figure.verdict() for figure in measured}
    if "NOT MEASURED" in verdicts:
        return 3
    return 1 if options.strict and "BELOW" in verdicts else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("models-eval: interrupted", file=sys.stderr)
        sys.exit(130)
