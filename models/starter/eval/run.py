"""Shared by all parts of the evaluation."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

import modelgateway

from .progress import Progress

if TYPE_CHECKING:
    from .clips import Clips

LOCAL = {"local_only": True, "no_fallback": True}  # measure the starter models, not a fallback


class Unmeasured(Exception):
    """Raised if something could not be measured; the text says why."""


@dataclasses.dataclass
class Run:
    """A run of the evaluation."""

    client: modelgateway.Client
    progress: Progress
    cache: pathlib.Path
    count: int | None  # maximum number of samples of each kind; None: the default of each part
    verbose: bool
    workers: int  # synthesizers that run at once
    speechocean: pathlib.Path | None = None  # clone of speechocean762

    def most(self, enough: int) -> int:
        """Returns the number of samples; enough is the default of the part."""
        return enough if self.count is None else min(enough, self.count)

    def clips(self) -> "Clips":
        """Returns the cache for speech of the synthesizers."""
        from speech import voices  # imported here because it needs scipy; parts without speech do not

        from .clips import Clips

        code = pathlib.Path(voices.__file__).read_bytes()
        return Clips(self.cache, voices.speak, code, self.progress, self.workers)
