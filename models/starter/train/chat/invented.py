"""Invented words with English endings, so that the model learns to copy words that it does not know."""

import functools

from chat import vocabulary
from speech import words

_BEGINS = ("b bl br c ch cl cr d dr f fl fr g gl gr h j k kn l m n p ph pl pr qu r s sc sh sk sl sm sn sp spr squ st str sw t th tr tw v w wh "
           "y z b c d f g l m n p r s t").split()
_VOWELS = "a e i o u a e i o u ai ea ee oa oo ou ow au ie".split()
_MIDDLES = "b bb bl c ck d dd f ff g gg l ll m mm mp n nd nn nt p pp pt r rd rr rt s sc sp ss st t tt v z ct lm rk".split()
_CLOSES = "b ck d ff g ll m n ng nt nd p r rd rk rm rn rt s sh sk ss st t th tch x mp lt l k ce ge ne te de se re ve".split()
_ENDINGS = {
    "noun": ("", "", "", "", "er", "or", "tion", "ness", "ment", "ity", "ist", "age", "let", "ure", "ant", "y"),
    "verb": ("", "", "", "", "ise", "ify", "ate", "en", "le"),
    "adjective": ("", "y", "ful", "less", "ous", "able", "al", "ive", "ic", "ed", "ing", "ish", "ant"),
    "adverb": ("ly", "ly", "fully", "ily", "ously", "ally"),
}

_HEADS = [noun for noun in words.THINGS + words.PLACES if words.plural(noun) == noun + "s"]


def _near(word: str) -> set[str]:
    """The word and what is left of it without one letter: two words a slip apart share one of these."""
    return {word} | {word[:i] + word[i + 1:] for i in range(len(word))}


@functools.cache
def _taken() -> frozenset[str]:
    from chat import grammar

    return frozenset(form for word in grammar.KNOWN if len(word) > 2 for form in _near(word.lower()))


def _syllables(rng) -> str:
    out = rng.choice(_BEGINS) if rng.random() < 0.88 else ""
    for _ in range(rng.choices((0, 1, 2), (5, 5, 1))[0]):
        out += rng.choice(_VOWELS) + rng.choice(_MIDDLES)
    return out + rng.choice(_VOWELS) + rng.choice(_CLOSES)


def word(rng, kind: str) -> str:
    """An invented noun, verb, adjective or adverb: no slip in a word that the rules know."""
    while True:
        if kind == "noun" and rng.random() < 0.15:  # a compound of words that there are
            stem = rng.choice(words.THINGS + words.ANIMALS) + rng.choice(_HEADS)
        else:
            stem = _syllables(rng)
            ending = rng.choice(_ENDINGS[kind])
            stem = (stem.removesuffix("e") if ending[:1] in tuple("aeiouy") else stem) + ending
            if kind != "noun" and rng.random() < 0.12:
                stem = rng.choice(("un", "re", "dis", "over", "mis")) + stem
        if 3 < len(stem) < 15 and not _near(stem) & _taken() and stem not in vocabulary.ALL and not stem.startswith(("uni", "eu", "one", "us")):
            return stem
