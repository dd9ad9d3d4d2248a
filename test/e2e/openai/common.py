"""What the programs here share: the example of docs/openai.md, and checks."""

import contextlib
import io
import runpy
import sys

# Arguments of each program: the client's example in docs/openai.md, the base URL of a
# running server, and a recording.
example, base_url, recording = sys.argv[1:4]

QUESTION = "What is the temperature in Hanoi?"
ABOUT_ANNA = "Write JSON about Anna, who is 31 years old and likes chess."


def check(what, ok, got):
    """Ends the program with what differs from what the client documents."""
    if not ok:
        sys.exit(f"{what}: {got!r}"[:2000])


def run_example():
    """Runs the example, and returns its variables and its output."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        variables = runpy.run_path(example)
    return variables, output.getvalue()
