"""Sentences in parts. Each part has the typical mistakes of learners."""

import dataclasses

# what is wrong: the API's error type, why in English, why in Vietnamese
RULES = {
    "agree": ("AGREEMENT", 'With "{cue}" the verb is "{right}".', 'Với "{cue}", động từ là "{right}".'),
    "past": ("VERB_TENSE", 'The time is past, so use "{right}".', 'Thời gian ở quá khứ, dùng "{right}".'),
    "after": ("VERB_TENSE", 'After "{cue}" use "{right}".', 'Sau "{cue}" dùng "{right}".'),
    "a": ("ARTICLE", 'Use "{right}" before a singular noun.', 'Dùng "{right}" trước danh từ số ít.'),
    "an": ("ARTICLE", 'The next sound asks for "{right}".', 'Âm tiếp theo cần "{right}".'),
    "the": ("ARTICLE", 'We say "{right}" here.', 'Ở đây ta nói "{right}".'),
    "no article": ("ARTICLE", 'There is no article here.', 'Ở đây không có mạo từ.'),
    "preposition": ("PREPOSITION", 'We say "{right}" here.', 'Ở đây ta nói "{right}".'),
    "no preposition": ("PREPOSITION", 'There is no preposition here.', 'Ở đây không có giới từ.'),
    "plural": ("NOUN_NUMBER", 'After "{cue}" the noun is plural.', 'Sau "{cue}", danh từ ở số nhiều.'),
    "singular": ("NOUN_NUMBER", 'After "{cue}" the noun is singular.', 'Sau "{cue}", danh từ ở số ít.'),
    "uncountable": ("NOUN_NUMBER", '"{right}" has no plural.', '"{right}" không có số nhiều.'),
    "order": ("WORD_ORDER", 'The order is "{right}".', 'Thứ tự đúng là "{right}".'),
    "choice": ("WORD_CHOICE", 'The right word is "{right}".', 'Từ đúng là "{right}".'),
    "spelling": ("SPELLING", 'The correct spelling is "{right}".', 'Viết đúng là "{right}".'),
    "capital": ("PUNCTUATION", 'Write "{right}" with a capital letter.', 'Viết hoa "{right}".'),
    "mark": ("PUNCTUATION", 'Write "{right}".', 'Viết "{right}".'),
    "missing": ("MISSING_WORD", 'Add "{right}".', 'Thêm "{right}".'),
    "extra": ("EXTRA_WORD", 'Leave out "{wrong}".', 'Bỏ "{wrong}".'),
}


@dataclasses.dataclass(frozen=True)
class Wrong:
    """What a learner writes instead of a part; cue is the word that decides."""
    text: str
    rule: str
    cue: str = ""


@dataclasses.dataclass(frozen=True)
class Part:
    """Some words of a sentence, and the mistakes that are made in them."""
    text: str
    wrongs: tuple[Wrong, ...] = ()


@dataclasses.dataclass(frozen=True)
class Pair:
    """A text as a learner wrote it, and as it should be; rule is "" where they are the same."""
    original: str
    corrected: str
    rule: str = ""
    cue: str = ""

    @property
    def kind(self) -> str:
        """The API's error type, or NONE."""
        return RULES[self.rule][0] if self.rule else "NONE"

    def difference(self) -> tuple[str, str]:
        """The words of each text that the other does not share at its beginning or end."""
        wrong, right = self.original.split(), self.corrected.split()
        while wrong and right and wrong[0] == right[0]:
            del wrong[0], right[0]
        while wrong and right and wrong[-1] == right[-1]:
            del wrong[-1], right[-1]
        strip = lambda texts: " ".join(texts) if self.rule == "mark" else " ".join(texts).rstrip(".,?!")
        return strip(wrong), strip(right)

    def why(self, vietnamese: bool) -> str:
        """A short sentence that explains the mistake."""
        wrong, right = self.difference()
        return RULES[self.rule][2 if vietnamese else 1].format(wrong=wrong, right=right, cue=self.cue)


def part(text: str, *wrongs) -> Part:
    """A part with mistakes, each (text, rule) or (text, rule, cue); those equal to the text are none."""
    return Part(text, tuple(Wrong(*w) for w in wrongs if w[0] != text))


def written(pieces: list[str], end: str) -> str:
    """The sentence of these pieces of text."""
    body = " ".join(p for p in pieces if p).replace(" ,", ",").replace(" ;", ";")
    return body[:1].upper() + body[1:] + end
