"""Figures, their targets, and the table of both."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Target:
    """The target of a figure: ">=", "<=", "<" or "=" a value."""

    sign: str
    value: float

    def met(self, value: float) -> bool:
        return {">=": value >= self.value, "<=": value <= self.value, "<": value < self.value,
                "=": value == self.value}[self.sign]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure. If it could not be measured, problem says why."""

    part: str  # part of the evaluation: "grammar", "stt" …
    name: str
    value: float | None = None
    count: int = 0  # number of samples
    target: Target | None = None
    percent: bool = True  # the value is a share and is shown in per cent
    digits: int = 1  # decimal places to show
    interval: tuple[float, float] | None = None  # 95 % interval
    problem: str = ""

    def verdict(self) -> str:
        if self.value is None:
            return "NOT MEASURED"
        if self.target is None:
            return ""
        return "PASS" if self.target.met(self.value) else "BELOW"

    def shown(self, value: float) -> str:
        return f"{100 * value:.{self.digits}f} %" if self.percent else f"{value:.{self.digits}f}"

    def row(self) -> list[str]:
        value = self.problem if self.value is None else self.shown(self.value)
        interval = "" if self.interval is None else " … ".join(self.shown(v).removesuffix(" %") for v in self.interval)
        return [self.part, self.name, value, interval, str(self.count or ""), self.wanted(), self.verdict()]

    def wanted(self) -> str:
        return f"{self.target.sign} {self.shown(self.target.value)}" if self.target else ""

    def as_json(self) -> dict:
        """Returns the figure for JSON; shares are 0 to 1."""
        target = {"sign": self.target.sign, "value": self.target.value} if self.target else None
        return {"part": self.part, "name": self.name, "value": self.value, "n": self.count, "target": target,
                "interval_95": self.interval, "verdict": self.verdict(), "problem": self.problem}


HEAD = ["part", "what", "value", "95 % interval", "n", "target", ""]
RIGHT = {2, 3, 4}  # columns of numbers


def table(figures: list[Figure]) -> str:
    """Returns the figures as a table. A part is named only in its first row."""
    rows = [figure.row() for figure in figures]
    for before, row in reversed(list(zip(figures, rows[1:]))):
        if row[0] == before.part:
            row[0] = ""
    # A problem may be long. It extends over the columns to its right without widening them.
    measured = [row for row, figure in zip(rows, figures) if figure.value is not None]
    widths = [max(len(row[i]) for row in [HEAD, *(rows if i < 2 else measured)]) for i in range(len(HEAD))]
    lines = [_line(HEAD, widths), "  ".join("-" * width for width in widths).rstrip()]
    for row, figure in zip(rows, figures):
        if figure.value is None:
            lines.append(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {figure.verdict()}: {figure.problem}")
        else:
            lines.append(_line(row, widths))
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    padded = (c.rjust(w) if i in RIGHT else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths)))
    return "  ".join(padded).rstrip()


def summary(figures: list[Figure]) -> str:
    """Returns how many targets were met, and which were missed or not measured."""
    held = [f for f in figures if f.target is not None and f.value is not None]
    below = [f for f in held if f.verdict() == "BELOW"]
    lost = [f for f in figures if f.value is None]
    lines = [f"{len(held) - len(below)} of {len(held)} targets met."]
    lines += [f"BELOW: {f.part}, {f.name}: {f.shown(f.value)}, wanted {f.wanted()}" for f in below]
    lines += [f"NOT MEASURED: {f.part}, {f.name}: {f.problem}" for f in lost]
    return "\n".join(lines)
