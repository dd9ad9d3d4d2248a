"""Writes sentences with words that the rules do not know: those of vocabulary.py, and invented ones."""

from chat import invented, lexicon, vocabulary
from chat.parts import part
from chat.phrases import Writer
from speech import words

INVENTED = 0.35  # of the words that are not the rules' own


class WideWriter(Writer):
    """As Writer, but a share of the nouns, verbs and adjectives is unknown; the share is drawn anew for each sentence."""

    others = vocabulary.ALL

    def open(self):
        """Draws the share for the next sentence: often none at all, so that the rules' own words stay learned."""
        self.unknown = self.pick(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.4, 0.6, 0.9)

    def other(self, kind: str, own, real) -> str:
        """One of the rules' own words of a kind, a real one beyond them, or an invented one."""
        if not self.chance(self.unknown):
            return self.any(own)
        return invented.word(self.rng, kind) if self.chance(INVENTED) else self.any(real)

    def five(self, verb: str):
        """Base, third person, past, -ing and past participle."""
        return vocabulary.FORMS.get(verb) or vocabulary.forms(verb)

    def forms(self, verb):
        return self.five(verb)[:4]

    def noun(self):
        return self.other("noun", lexicon.COUNTABLE, vocabulary.THINGS)

    def doer(self):
        return self.other("noun", lexicon.PEOPLE, vocabulary.DOERS)

    def adjective(self):
        return self.other("adjective", lexicon.ADJECTIVES, vocabulary.ADJECTIVES)

    def uncounted(self):
        return self.any(vocabulary.STUFF) if self.chance(self.unknown) else super().uncounted()

    def site(self):
        return self.other("noun", words.PLACES, vocabulary.SITES)

    def adverb(self):
        return self.other("adverb", sorted(lexicon.MANNER), vocabulary.ADVERBS)

    def name(self):
        return self.any(vocabulary.GIVEN) if self.chance(self.unknown / 2) else super().name()

    def town(self):
        return self.any(vocabulary.PLACES) if self.chance(self.unknown / 2) else super().town()

    def verb(self):
        if not self.chance(self.unknown * 0.7):
            return super().verb()
        kind = self.rng.random()
        if kind < 0.6:
            return self.other("verb", vocabulary.DOING, vocabulary.DOING), [self.thing()]
        if kind < 0.8:
            verb, *rest = self.any(vocabulary.JOINED)
            return verb, [part(" ".join(rest)), self.thing()]
        return self.other("verb", vocabulary.BEING, vocabulary.BEING), [self.manner()]
