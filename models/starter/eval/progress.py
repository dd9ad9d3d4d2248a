"""Concurrent work with a display of its progress."""

import concurrent.futures
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import IO, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Interrupts:
    """Turns signals into KeyboardInterrupt.

    Python drops an exception that a signal handler raises while a callback of a library runs, so check raises it again.
    """

    def __init__(self) -> None:
        self._received = threading.Event()

    def catch(self, *signals: signal.Signals) -> None:
        for number in signals:
            signal.signal(number, self._receive)

    def check(self) -> None:
        if self._received.is_set():
            raise KeyboardInterrupt

    def _receive(self, *_: object) -> None:
        self._received.set()
        raise KeyboardInterrupt


INTERRUPTS = Interrupts()


class Progress:
    """Shows the progress of each step on a terminal, and elsewhere a line when it is done."""

    def __init__(self, stream: IO[str] = sys.stderr):
        self.stream, self.live = stream, stream.isatty()

    def each(self, label: str, items: Iterable[Item], work: Callable[[Item], Answer], workers: int = 1) -> list[Answer]:
        """Returns work(item) for all items, in their order. The first failure is raised and stops the rest."""
        items, started, shown = list(items), time.monotonic(), 0.0
        pool = concurrent.futures.ThreadPoolExecutor(workers)
        try:
            futures = [pool.submit(work, item) for item in items]
            for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
                future.result()
                INTERRUPTS.check()
                if self.live and (time.monotonic() - shown > 0.1 or done == len(items)):
                    shown = time.monotonic()
                    self._show(f"{label}: {done}/{len(items)}")
        finally:  # also after Ctrl-C: cancels work that has not started
            pool.shutdown(wait=False, cancel_futures=True)
            if self.live:
                self._show("")
        self.say(f"{label}: {len(items)} in {time.monotonic() - started:.0f} s")
        return [future.result() for future in futures]

    def say(self, line: str) -> None:
        print(f"models-eval: {line}", file=self.stream, flush=True)

    def _show(self, text: str) -> None:
        self.stream.write(f"\r\033[K{text}")
        self.stream.flush()
