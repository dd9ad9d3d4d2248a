"""What the parts of the evaluation work with."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

import modelgateway

from .progress import Progress

if TYPE_CHECKING:
    from .clips import Clips

LOCAL = {"local_only": True, "no_fallback": True}  # the starters are measured, not what would stand in for them


class Unmeasured(Exception):
    """Something could not be measured; the text says why."""


@dataclasses.dataclass
class Run:
    """A run of the evaluation."""

    client: modelgateway.Client
    progress: Progress
    cache: pathlib.Path
    count: int | None  # at most so many of each kind; None: what each part holds to be enough
    verbose: bool
    workers: int  # programs that speak at once

    def most(self, enough: int) -> int:
        """How many to measure on, where `enough` is the part's own wish."""
        return enough if self.count is None else min(enough, self.count)

    def clips(self) -> "Clips":
        """Speech of the synthesisers."""
        from speech import voices  # needs scipy, which the parts without speech do without

        from .clips import Clips

        code = pathlib.Path(voices.__file__).read_bytes()
        return Clips(self.cache, voices.speak, code, self.progress, self.workers)
