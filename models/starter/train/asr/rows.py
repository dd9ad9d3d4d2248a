"""Rows of spectra with their target text: sentences, silence and noise, as whisper.cpp gives them to a model."""

import dataclasses
from typing import NamedTuple

import numpy as np

from asr import augment, features
from asr.align import label
from asr.network import CONTEXT, FRAMES
from asr.text import END_OF_TEXT, FIRST_TIME, NO_SPEECH, NO_TIMES, PREVIOUS, START
from speech.sentences import letters

MARGIN = 3  # frames of silence at both ends of a clip of speech.voices
LATEST = 50  # frames: whisper.cpp lets no first time be later
SILENT_SHARE = {False: 0.08, True: 0.25}  # of rows without words, by whether they are whole windows
# Of rows without words: those whose text begins with a time all the same, and those that go on from another one.
TIMED_SHARE, OTHER_TIME_SHARE = 0.25, 0.2
PROMPTED_SHARE = 0.25  # of long rows
FULL = 20  # sentences: more than a window holds
# Shares of rows by their number of sentences; the second of the late phases.
SEVERAL = {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.25}, {1: 0.1, 2: 0.2, 3: 0.2, 4: 0.2, 5: 0.3}
WINDOWFUL = {1: 0.3, 2: 0.15, 3: 0.1, 4: 0.08, 5: 0.07, 6: 0.06, FULL: 0.24}, {1: 0.4, 2: 0.15, 3: 0.1, 4: 0.05, 6: 0.05, FULL: 0.25}
HEARD_SENTENCES = {1: 0.5, 2: 0.2, 3: 0.15, 6: 0.15}
CUT_SHARE = 0.12  # of long rows, whose last sentence breaks off


@dataclasses.dataclass(frozen=True)
class Form:
    """The sizes of a batch. Frames are the encoder's, of 20 ms."""

    frames: int
    tokens: int
    letters: int  # 0: no CTC
    many: bool = True  # rows may have several sentences, prompts, cut ends


SHORT = [Form(85, 14, 40, many=False), Form(110, 16, 50, many=False), Form(135, 19, 60, many=False),
         Form(160, 22, 70, many=False), Form(240, 32, 110, many=False)]
LONG, WHOLE = Form(480, 64, 190), Form(FRAMES, 176, 0)
ALONE = Form(FRAMES, 40, 0, many=False)  # a sentence in a window, as most callers send one
HEARD = Form(FRAMES, 176, 400)  # a window whose letters are learnt


class Shares(NamedTuple):
    """Of the batches, those of long rows, of whole windows and of HEARD; of the rows, those from amid a window."""

    long: float = 0
    whole: float = 0
    heard: float = 0
    amid: float = 0


@dataclasses.dataclass
class Clip:
    """A clip of the training: its text and, where they are known, the first and last frames of its words."""

    number: int
    text: str
    frames: int
    words: np.ndarray | None


class Row:
    """A row in the making."""

    def __init__(self, form: Form, begin: int):
        self.form, self.begin = form, begin
        self.raw = np.full((2 * form.frames, 80), features.FLOOR, np.float32)
        self.inputs, self.targets, self.looks, self.said = [START], [], [], []
        self.first = 0  # position of the first token
        self.prompt = 0  # tokens before START

    def write(self, token: int, look=(0, -1)):
        """Adds a token, with the frames in which it is heard."""
        self.targets.append(token)
        self.inputs.append(token)
        self.looks.append(look)

    def write_time(self, frame: float, heard: bool = True):
        frame = round(frame)
        self.write(FIRST_TIME + min(FRAMES, self.begin + frame), (frame - 3, frame + 3) if heard else (0, -1))

    def silence(self, rng):
        """No speech: whisper.cpp reads how likely that is at START, and then forbids it and takes the likeliest time."""
        time = FIRST_TIME + self.begin
        foreseen = time if rng.random() < TIMED_SHARE else NO_SPEECH
        if rng.random() < OTHER_TIME_SHARE:
            time += int(rng.integers(min(LATEST, FRAMES - self.begin) + 1))
        self.targets, self.inputs, self.looks = [foreseen, END_OF_TEXT], [START, time], [(0, -1)] * 2

    def prompted(self, tokens: list[int], shift: int):
        self.inputs, self.prompt, self.first = [PREVIOUS, *tokens] + self.inputs, len(tokens) + 1, shift

    def arrays(self, table):
        """Returns (tokens, targets, mask, looks, letters, their padding)."""
        count = self.form.tokens
        tokens, targets = (np.full(count, table.rows[END_OF_TEXT], np.int32) for _ in range(2))
        mask, looks = np.zeros(count, np.float32), np.zeros((count, 2), np.int32) - 1
        written, wanted = [table.rows[t] for t in self.inputs][:count], [table.rows[t] for t in self.targets][:count - self.prompt]
        tokens[:len(written)] = written
        at = slice(self.prompt, self.prompt + len(wanted))
        targets[at], mask[at], looks[at] = wanted, 1, np.array(self.looks[:len(wanted)])
        said, padding = np.zeros(max(1, self.form.letters), np.int32), np.ones(max(1, self.form.letters), np.float32)
        if self.form.letters:
            said[:len(self.said)], padding[:len(self.said)] = self.said[:len(said)], 0
        return tokens, targets, mask, looks, said, padding


class Maker:
    """Makes batches; batch n is the same whenever it is made."""

    def __init__(self, clips: list[Clip], spectra, tokenizer, table, filters, seconds: float, seed: int, late=False):
        """spectra[clip.number] are a clip's; seconds is what a batch holds together; late: more sentences."""
        self.late, self.filters = late, filters
        self.clips, self.spectra, self.tokenizer, self.table, self.seed = clips, spectra, tokenizer, table, seed
        self.seconds, self.changer, self.noises = seconds, augment.Changer(len(filters)), augment.noises(filters, seed)
        sizes = np.array([clip.frames for clip in clips])
        places = np.searchsorted(np.array([0.95 * form.frames for form in SHORT]), sizes)
        self.buckets = [np.flatnonzero(places == i) for i in range(len(SHORT))]
        weights = np.array([sizes[bucket].sum() for bucket in self.buckets], float)
        self.shares = weights / weights.sum()

    def batch(self, number: int, shares: Shares, form: Form | None = None):
        """form: of all rows, instead of one that is drawn."""
        rng = np.random.default_rng((self.seed, number))
        form = form or self.form(rng, shares)
        pool = self.buckets[SHORT.index(form)] if form in SHORT else np.arange(len(self.clips))
        count = max(1, int(50 * self.seconds / form.frames))
        rows = [self.row(rng, form, pool, shares.amid) for _ in range(count)]
        mel = np.stack([self.spectrum(rng, row) for row in rows])
        begins = np.array([row.begin for row in rows], np.int32), np.array([row.first for row in rows], np.int32)
        return (mel, *begins, *(np.stack(part) for part in zip(*(row.arrays(self.table) for row in rows))))

    def form(self, rng, shares: Shares) -> Form:
        drawn = rng.random()
        for form, bound in ((WHOLE, shares.whole), (LONG, shares.whole + shares.long), (HEARD, shares.whole + shares.long + shares.heard)):
            if drawn < bound:
                return form
        return SHORT[rng.choice(len(SHORT), p=self.shares)]

    def spectrum(self, rng, row: Row) -> np.ndarray:
        """Adds noise, scales and masks."""
        raw, loudest = row.raw, row.raw.max()
        if loudest <= features.FLOOR + 1:  # nothing said
            if rng.random() < 0.9:
                raw = augment.clip_without_words(rng, self.filters, len(raw))
        elif rng.random() < 0.4:
            noise = augment.noise(rng, self.noises, len(raw))
            noise = noise + np.float32(loudest - rng.uniform(2.2, 7.5) - noise.max())
            if rng.random() < 0.7:  # it ends soon after the speech, as a clip does
                noise[np.flatnonzero(raw.max(1) > features.FLOOR + 1)[-1] + 2 * rng.integers(8, 40):] = features.FLOOR
            raw = np.log10(10.0**raw + 10.0**noise)
        return augment.masked(rng, features.scaled(np.maximum(raw, features.FLOOR)))

    def row(self, rng, form: Form, pool: np.ndarray, amid: float) -> Row:
        """Draws a row; a share does not begin where windows do, so that all positions are learnt."""
        free = FRAMES - form.frames
        row = Row(form, int(rng.integers(free)) if free and rng.random() < amid else 0)
        if form.many and rng.random() < PROMPTED_SHARE:
            self.prompt(rng, row)
        if rng.random() < SILENT_SHARE[form.frames == FRAMES]:
            row.silence(rng)
            return row
        if rng.random() < 0.04:
            row.write(NO_TIMES)
        at, wanted = self.lead(rng, form), self.sentences(rng, form)
        full, room = wanted == FULL, form.tokens - row.prompt - 28 if form.many else 1
        while wanted and len(row.targets) < room:
            clip = self.clips[rng.choice(pool)]
            raw, longer = self.changer.clip(rng, self.spectra[clip.number][:2 * form.frames])
            frames = len(raw) // 2
            if at + frames > form.frames:
                if full and row.said and at < form.frames:  # what breaks off is for the next window
                    row.raw[2 * at:] = raw[:len(row.raw) - 2 * at]
                    if NO_TIMES not in row.targets:
                        row.write_time(min(form.frames, at + MARGIN))
                    break
                if row.said:
                    break
                at = max(0, form.frames - frames)
            self.say(rng, row, clip, raw, longer, at, cut=form.many and wanted == 1 and rng.random() < CUT_SHARE)
            at, wanted = at + frames + self.gap(rng, form), wanted - 1
        row.write(END_OF_TEXT)
        return row

    def lead(self, rng, form: Form) -> int:
        """Frames of silence in the beginning."""
        if not form.many:
            return int(rng.integers(20 if form is ALONE else 8))
        return int(rng.integers(50, 250)) if form is WHOLE and rng.random() < 0.15 else int(35 * rng.random() ** 2)

    def gap(self, rng, form: Form) -> int:
        return int(rng.integers(40, 150)) if form is WHOLE and rng.random() < 0.15 else int(rng.integers(1, 35))

    def sentences(self, rng, form: Form) -> int:
        """How many sentences a row shall have."""
        if not form.many:
            return 1
        shares = HEARD_SENTENCES if form is HEARD else (WINDOWFUL if form is WHOLE else SEVERAL)[self.late]
        return int(rng.choice(list(shares), p=list(shares.values())))

    def prompt(self, rng, row: Row):
        """Text of before, with times or without, which has nothing to do with what is said now."""
        tokens = []
        for _ in range(rng.integers(1, 4)):
            said = self.tokenizer.encode(" " + self.clips[rng.integers(len(self.clips))].text)
            tokens += [FIRST_TIME + int(t) for t in np.sort(rng.integers(0, FRAMES, 2))][:2 * (rng.random() < 0.5)] + said
        tokens = tokens[-22 if row.form is LONG else -60:]
        row.prompted(tokens, int(rng.integers(CONTEXT - row.form.tokens)) if rng.random() < 0.5 else 0)

    def say(self, rng, row: Row, clip: Clip, raw: np.ndarray, longer: float, at: int, cut: bool):
        """Puts a clip into a row at a frame, and its text."""
        words = clip.text.split(" ")
        counts = np.cumsum([len(letters(word).split()) for word in words])
        heard = clip.words
        if heard is None or len(heard) != counts[-1]:
            heard = None
        elif cut and len(words) > 2:
            words = words[:rng.integers(1, len(words))]
            end = heard[counts[len(words) - 1] - 1:][:2] * longer
            raw = raw[:max(2, 2 * round((end[0, 1] + (end[1, 0] if len(end) > 1 else end[0, 1])) / 2))]
            words[-1] = words[-1].rstrip(".,?!")
        raw = raw[:len(row.raw) - 2 * at]
        row.raw[2 * at:2 * at + len(raw)] = raw
        begin, end = at + MARGIN, at + len(raw) // 2 - (MARGIN if len(words) == len(counts) else 0)
        timed = NO_TIMES not in row.targets
        if timed:
            early = row.begin or row.said or begin <= LATEST
            row.write_time(begin if early else 0, heard=bool(early))
        for i, word in enumerate(words):
            look = (0, -1)
            if heard is not None:
                look = at + int(heard[counts[i - 1] if i else 0, 0] * longer) - 2, at + int(heard[counts[i] - 1, 1] * longer) + 2
            for token in self.tokenizer.encode(" " + word):
                row.write(token, look)
        if timed:
            row.write_time(max(begin + 1, end))
        row.said += [label(" ")[0]] * bool(row.said) + label(letters(" ".join(words)))
