"""Measures the starter models on held-out data, and live speech with a published model, and prints the figures with their targets.

    make models-eval ARGS="--only stt,tts --json figures.json"

Exit status: 0 if everything was measured, whatever the result; with --strict 1 if a target was missed; 3 if something
could not be measured; 130 after Ctrl-C.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time

TIMEOUT = 900.0  # seconds for an answer; long, because the machine may be busy
ROOT = pathlib.Path(__file__).resolve().parents[3]
# For each part: module, function, and whether it needs the speech synthesizers.
PARTS = {
    "stt": ("hearing", "speech_to_text", True),
    "tts": ("speaking", "text_to_speech", True),
    "pronunciation": ("judging", "pronunciation", True),
    "experts": ("experts", "experts", False),  # only with --speechocean
    "roundtrip": ("speaking", "round_trip", True),
    "grammar": ("language", "grammar", False),
    "chat": ("language", "chat", False),
    "live": ("live", "live", False),
}
PEOPLE = {"live"}  # parts that need recordings of people and a published model


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make models-eval", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=parts, metavar="PART,…",
                        help=f"parts to measure: {', '.join(PARTS)}; default: all, experts only with --speechocean")
    parser.add_argument("--speechocean", type=pathlib.Path, metavar="FOLDER",
                        help="clone of github.com/jimbozhang/speechocean762, for the part experts; no package registry has it")
    parser.add_argument("--count", type=positive, metavar="N", help="use at most N sentences, pairs and so on of each kind: quick but rough")
    parser.add_argument("--server", metavar="HOST:PORT", help="gRPC address of a running server; by default a server is started")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--strict", action="store_true", help="exit with status 1 if a target is missed")
    parser.add_argument("--verbose", action="store_true", help="print requests and answers")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)  # for scripts/models-eval.sh
    options = parser.parse_args(argv)
    if options.only is None:
        options.only = [name for name in PARTS if name != "experts" or options.speechocean]
    if "experts" in options.only and not (options.speechocean and options.speechocean.is_dir()):
        parser.error("the part experts needs --speechocean FOLDER: clone github.com/jimbozhang/speechocean762")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"the folder of {options.json} does not exist")  # checked before the measurements
    return options


def parts(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"unknown part {', '.join(unknown) or repr(text)}; known parts: {', '.join(PARTS)}")
    return [name for name in PARTS if name in names]


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def cache() -> pathlib.Path:
    """Returns the folder for synthesized speech."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "modelgateway" / "models-eval"


def measure(options: argparse.Namespace, measured: list) -> None:
    """Adds the figures to the list. If a part fails, adds a figure with the reason."""
    import contextlib

    import modelgateway

    from . import server
    from .progress import INTERRUPTS, Progress
    from .run import Run

    progress = Progress()
    with contextlib.ExitStack() as stack:
        address = options.server or stack.enter_context(server.running(ROOT / "bin" / "modelgateway"))
        client = stack.enter_context(modelgateway.Client(address, timeout=TIMEOUT))
        progress.say(f"server {client.status().version} at {address}")
        run = Run(client, progress, cache(), options.count, options.verbose, os.cpu_count() or 1, options.speechocean)
        for name in options.only:
            INTERRUPTS.check()
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
        measured.append(Figure(name, "the rest" if measured[before:] else "everything", problem=str(error)))


def main(argv: list[str]) -> int:
    options = arguments(argv)
    if options.needs:
        print("server" if not options.server or PEOPLE & set(options.only) else "", "speech" if any(PARTS[name][2] for name in options.only) else "",
              "people" if PEOPLE & set(options.only) else "")
        return 0
    import modelgateway

    from .figures import summary, table
    from .progress import INTERRUPTS
    from .server import NoServer

    INTERRUPTS.catch(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # all three stop the server too
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
