"""Tests the handling of interrupts."""

import signal
from collections.abc import Iterator

import pytest
from eval.progress import Interrupts


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    before = signal.getsignal(signal.SIGUSR1)
    caught = Interrupts()
    caught.catch(signal.SIGUSR1)
    yield caught
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_dropped_interrupt_is_raised_again(interrupts: Interrupts) -> None:
    class Callback:
        def __del__(self) -> None:  # Python prints and drops what is raised here
            signal.raise_signal(signal.SIGUSR1)

    Callback()
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_interrupt_is_raised(interrupts: Interrupts) -> None:
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGUSR1)
