"""Forms of sentences: statements in every tense, questions, comparisons, and statements of learners about themselves."""

from chat import lexicon
from chat.lexicon import FORMS, PARTICIPLES
from chat.parts import part
from chat.phrases import BE, Writer, article
from speech import words


def _finite(w, verb, person, cue, frequency=None):
    """A verb in the simple present, after an adverb of frequency if one is given."""
    base, third = w.forms(verb)[:2]
    right, other = (third, base) if person == "he" else (base, third)
    if not frequency:
        return part(right, (other, "agree", cue), (other, "agree", cue))
    wrongs = [(f"{right} {frequency}", "order"), (f"{frequency} {other}", "agree", cue)]
    return part(f"{frequency} {right}", *wrongs)


def present(w: Writer):
    subject, person = w.subject()
    verb, rest = w.verb()
    adverb = w.any(lexicon.FREQUENCY) if w.chance(0.3) else None
    timed = not adverb and w.chance(0.55)  # without a time, "they are play" may as well be "they are playing"
    finite = _finite(w, verb, person, subject.text, adverb)
    if timed and person != "he" and verb not in lexicon.STATES and w.chance(0.15):
        finite = part(finite.text, (f"{BE[person]} {finite.text}", "extra"))
    if w.chance(0.25):
        pair = (w.pick("like", "love"), w.any(lexicon.OBJECTS["like"] + lexicon.FOODS))
        right = f"{FORMS[pair[0]][1 if person == 'he' else 0]}"
        return [subject, part(f"{right} {pair[1]} very much", (f"{right} very much {pair[1]}", "order"))]
    out = [subject, finite, *rest]
    if timed:
        time = w.when("habit")
        if time.text.startswith("every ") and w.chance(0.2):
            return [subject, part(" ".join(p.text for p in [finite, *rest, time]),
                                  (" ".join([time.text, finite.text, *(p.text for p in rest)]), "order"))]
        out.append(time)
    return out


def past(w: Writer):
    subject, person = w.subject()
    verb, rest = w.verb()
    base, third, done, going = w.forms(verb)
    time = w.when("past")
    regular = base + ("d" if base.endswith("e") else "ed")
    wrongs = [(base, "past"), (base, "past"), (third, "past")]
    if regular != done:
        wrongs.append((regular, "past"))
    wrongs.append((f"was {base}" if person in ("he", "I") else f"were {base}", "past"))
    out = [subject, part(done, *wrongs), *rest]
    return [time, ","] + out if w.chance(0.25) else out + [time]


def continuous(w: Writer):
    subject, person = w.subject()
    verb, rest = w.verb()
    while verb in lexicon.STATES:
        verb, rest = w.verb()
    base, _, _, going = w.forms(verb)
    if w.chance(0.25):
        return [subject, w.be(subject.text, person, past=True), part(going, (base, "after", "was")), *rest,
                part("at " + w.any(lexicon.NUMBERS[:12]) + " o'clock yesterday")]
    out = [subject, w.be(subject.text, person), part(going, (base, "after", BE[person])), *rest]
    return out + [w.when("now")] if w.chance(0.6) else out


def helped(w: Writer):
    """Verbs after will, can, want to and others."""
    subject, person = w.subject()
    verb, rest = w.verb()
    base, third, done, going = w.forms(verb)
    cue = w.pick("will", "will", "can", "can", "must", "should", "could", "would", "may", "cannot", "can't", "won't", "should not")
    kind = w.rng.random()
    if kind < 0.6:
        wrongs = [(third, "after", cue), (f"to {base}", "extra"), (done, "after", cue), (going, "after", cue)]
        out = [subject, cue, part(base, *wrongs), *rest]
        return out + [w.when("future")] if cue in ("will", "won't") else out
    like = w.pick("want", "need", "want", "hope", "try", "have", "would like", "decided", "plan")
    finite = part(like) if like in ("would like", "decided") else \
        part({"try": "tries"}.get(like, FORMS.get(like, (like, like + "s"))[1]) if person == "he" else like,
             (like if person == "he" else {"try": "tries"}.get(like, FORMS.get(like, (like, like + "s"))[1]), "agree", subject.text))
    if kind < 0.85:
        return [subject, finite, part(f"to {base}", (base, "missing"), (f"to {going}", "after", "to"), (f"to {third}", "after", "to")),
                *rest]
    be = w.be(subject.text, person)
    return [subject, be, part(f"going to {base}", (f"going {base}", "missing"), (f"going to {going}", "after", "to")), *rest,
            w.when("future")]


def gerund(w: Writer):
    subject, person = w.subject()
    verb, rest = w.verb()
    base, _, _, going = w.forms(verb)
    lead = w.pick("enjoy", "finish", "practise")
    finite = FORMS[lead][1 if person == "he" else 0]
    if w.chance(0.5):
        be = w.be(subject.text, person)
        head = w.pick("good at", "tired of", "interested in", "afraid of")
        return [subject, be, part(f"{head} {going}", (f"{head} {base}", "after", head.split()[1]),
                                  (f"{head} to {base}", "after", head.split()[1])), *rest]
    return [subject, part(f"{finite} {going}", (f"{finite} to {base}", "after", finite), (f"{finite} {base}", "after", finite)), *rest]


def negative(w: Writer):
    subject, person = w.subject()
    verb, rest = w.verb()
    base, third, done, going = w.forms(verb)
    if w.chance(0.35):
        cue = w.pick("didn't", "did not")
        return [subject, cue, part(base, (done, "after", cue), (third, "after", cue), (f"to {base}", "extra")), *rest, w.when("past")]
    right, other = ("doesn't", "don't") if person == "he" else ("don't", "doesn't")
    if w.chance(0.5):
        right, other = right.replace("n't", " not"), other.replace("n't", " not")
    wrongs = [(f"{other} {base}", "agree", subject.text), (f"{right} {third}", "after", right)]
    if " not" in right:
        wrongs.append((f"not {base}", "missing"))
    else:
        wrongs.append((f"no {base}", "choice"))
        wrongs.append((f"{BE[person]} not {base}", "choice"))
    return [subject, part(f"{right} {base}", *wrongs), *rest]


def question(w: Writer):
    subject, person = w.subject()
    while subject.text.split()[0] in ("many", "I", "me"):
        subject, person = w.subject()
    subject = subject.text
    verb, rest = w.verb()
    base, third, done, going = w.forms(verb)
    lead = w.pick("", "", "", "when", "why", "how often", "where")
    if lead == "where" and verb not in ("play", "read", "study", "work", "eat", "cook", "buy"):
        lead = "why"
    kind = w.rng.random()
    if kind < 0.2 and verb not in lexicon.STATES:
        be = BE[person]
        return [lead, part(f"{be} {subject} {going}", (f"{subject} {be} {going}", "order"), (f"{be} {subject} {base}", "after", be),
                           (f"{'is' if be == 'are' else 'are'} {subject} {going}", "agree", subject)), *rest, "?"]
    if kind < 0.4:
        can = w.pick("can", "will", "should", "could")
        return [lead, part(f"{can} {subject} {base}", (f"{can} {subject} to {base}", "extra"), (f"{can} {subject} {third}", "after", can),
                           *([(f"{subject} {can} {base}", "order")] if lead else [])), *rest, "?"]
    if kind < 0.6:
        return [lead, part(f"did {subject} {base}", (f"did {subject} {done}", "after", "did"), (f"did {subject} {third}", "after", "did")),
                *rest, w.when("past"), "?"]
    do, other = ("does", "do") if person == "he" else ("do", "does")
    wrongs = [(f"{other} {subject} {base}", "agree", subject), (f"{do} {subject} {third}", "after", do)]
    if lead or subject in ("you", "they"):
        wrongs += [(f"{subject} {base}", "missing")] * (1 if person == "they" else 0)
    return [lead, part(f"{do} {subject} {base}", *wrongs), *rest, "?"]


def what(w: Writer):
    """Short questions with "to be" and a question word, and of objects."""
    subject, person = w.subject()
    while subject.text.split()[0] in ("many", "I", "me", "everyone", "nobody", "someone", "everybody", "people"):
        subject, person = w.subject()
    subject, kind = subject.text, w.rng.random()
    if kind < 0.5:
        lead = w.pick("where", "who", "how", "how old", "why", "what time", "what colour", "how tall", "what")
        noun = subject if lead in ("where", "who", "how", "how old", "how tall", "why") else "it"
        person = person if noun == subject else "he"
        be, tail = BE[person], " " + w.any(lexicon.FEELINGS) if lead == "why" else ""
        if w.chance(0.3) and lead in ("where", "who"):
            noun, person, be = "the " + w.site(), "he", "is"
        if lead == "what":
            noun = w.pick("this", "that", "your name", "his job", "her name", "your favourite food", "the problem", "your hobby")
            be = "is"
        other = "are" if be == "is" else "is"
        return [lead, part(f"{be} {noun}{tail}", (f"{noun} {be}{tail}", "order"), (f"{other} {noun}{tail}", "agree", noun),
                           *([(f"{noun}{tail}", "missing")] if lead not in ("what", "who") else [])), "?"]
    verb = w.pick("do", "want", "eat", "read", "buy", "study", "like", "cook", "watch", "see", "make", "need")
    base, third, done, going = w.forms(verb)
    what = w.pick("what", "what", f"how many {words.plural(w.noun())}", "which " + w.noun())
    if kind < 0.7:
        do, other = ("does", "do") if person == "he" else ("do", "does")
        wrongs = [(f"{other} {subject} {base}", "agree", subject), (f"{do} {subject} {third}", "after", do)]
        if person == "they":
            wrongs.append((f"{subject} {base}", "missing"))
        return [what, part(f"{do} {subject} {base}", *wrongs), "?"]
    if kind < 0.85:
        return [what, part(f"did {subject} {base}", (f"did {subject} {done}", "after", "did")), w.when("past"), "?"]
    noun = w.noun()
    if w.chance(0.5):
        many = f"how many {words.plural(noun)} do you {w.pick('have', 'need', 'want', 'see')}"
        return [part(many, (many.replace(words.plural(noun), noun), "plural", "how many"), (many.replace("many", "much"), "choice")), "?"]
    much = f"how much {w.uncounted()} do you {w.pick('have', 'need', 'want')}"
    return [part(much, (much.replace("much", "many"), "choice")), "?"]


def being(w: Writer):
    subject, person = w.subject()
    kind = w.rng.random()
    old = w.chance(0.3) and (kind < 0.3 or 0.5 <= kind < 0.7 and person != "they" or kind >= 0.9)
    be, ends = w.be(subject.text, person, old), [w.when("past")] if old else []  # the past needs a sign of it
    if kind < 0.3:
        adverb = w.pick("very ", "so ", "too ", "", "", "really ", "not ")
        ends = ends or [part(w.pick("today", "now", "", ""))]
        return [subject, be, part(adverb + w.any(lexicon.FEELINGS)), *ends]
    if kind < 0.5:
        head, preposition, follow = w.any(lexicon.ADJECTIVAL)
        follow = w.any(follow.split(","))
        other = w.any([p for p in ("of", "in", "with", "to", "for", "at", "on", "about") if p != preposition])
        return [subject, be, head, part(f"{preposition} {follow}", (f"{other} {follow}", "preposition"), (follow, "preposition"))]
    if kind < 0.7 and person != "they":
        job = w.any(lexicon.JOBS)
        job = f"{w.pick('good', 'young', 'old', 'new', 'famous')} {job}" if w.chance(0.25) else job
        a = article(job)
        return [subject, be, part(f"{a} {job}", (job, "a"), (job, "a"), (f"{'an' if a == 'a' else 'a'} {job}", "an")), *ends]
    if kind < 0.8:
        town = w.town()
        return [subject, be, part(f"from {town}", (town, "preposition"), (f"of {town}", "preposition"), (f"from the {town}", "no article"))]
    if kind < 0.9:
        number = w.pick(str(w.rng.randint(5, 80)), w.any(lexicon.NUMBERS[4:]))
        have = {"I": "have", "he": "has", "they": "have"}[person]
        return [subject, part(f"{be.text} {number} years old", (f"{have} {number} years old", "choice"), (f"{be.text} {number} year old",
                              "plural", number), (f"{number} years old", "missing"))]
    return [subject, be, w.place(), *ends]


def there(w: Writer):
    many = w.chance(0.5)
    noun = w.several() if many else w.pick(w.singular, w.singular, w.stuff)()
    now, past, be = ("are", "were", w.pick("are", "are", "were")) if many else ("is", "was", w.pick("is", "is", "was"))
    other = {"are": "is", "is": "are", "was": "were", "were": "was"}[be]
    wrongs = [(f"there {other}", "agree", noun.text)] + ([("there have", "choice"), ("there", "missing")] if be == now else [])
    if be == now and noun.text.split()[0] in ("many", "a", "an", "some", "two", "three"):
        wrongs.append(("have", "choice"))
    return [part(f"there {be}", *wrongs), noun, w.place()]


def comparison(w: Writer):
    subject, person = w.subject()
    be, other = w.be(subject.text, person), w.subject()[0].text
    other = {"I": "me", "he": "him", "she": "her", "we": "us", "they": "them"}.get(other, other)
    than = part("than", ("then", "spelling"), ("that", "choice"), ("as", "choice"))
    if w.chance(0.3):
        big = w.any(lexicon.COMPARED)[0]
        return [subject, be, part(f"as {big} as", (f"as {big} than", "choice"), (f"{big} as", "missing")), other]
    if w.chance(0.55):
        big, bigger, biggest = w.any(lexicon.COMPARED)
        if w.chance(0.6):
            return [subject, be, part(bigger, (f"more {big}", "choice"), (f"more {bigger}", "extra"), (big, "choice")), than, other]
        tail = w.pick("in the class", "in the world", "in my family", "in the city", "of all")
        return [subject, be,
                part(f"the {biggest}", (biggest, "the"), (f"the most {big}", "choice"), (f"the most {biggest}", "extra"),
                     (f"the {bigger}", "choice")), tail]
    long = w.any(lexicon.LONG_COMPARED)
    if w.chance(0.6):
        return [subject, be, part(f"more {long}", (long, "missing"), (f"{long}er", "choice")), than, other]
    return [subject, be, part(f"the most {long}", (f"most {long}", "the"), (f"the more {long}", "choice")),
            w.doer(), w.pick("in the class", "in the world", "in the city")]


def perfect(w: Writer):
    subject, person = w.subject()
    verb = w.any(sorted(PARTICIPLES))
    have, other = ("has", "have") if person == "he" else ("have", "has")
    done = PARTICIPLES[verb]
    rest = w.object(verb) if verb in lexicon.OBJECTS else part({"go": "to " + w.town(), "live": "in " + w.town()}.get(verb, "here"))
    wrongs = [(verb, "after", have)] + ([(w.forms(verb)[2], "after", have)] if w.forms(verb)[2] != done else [])
    year, count = w.rng.randint(1990, 2025), w.any(lexicon.NUMBERS[1:12])
    time = w.pick(part(f"since {year}", (f"from {year}", "preposition"), (f"for {year}", "preposition")),
                  part(f"for {count} years", (f"since {count} years", "preposition"), (f"for {count} year", "plural", count)), part(""))
    adverb = w.pick("", "", "just", "never", "already") if not time.text else ""
    return [subject, part(have, (other, "agree", subject.text)), adverb, part(done, *wrongs), rest, time]


BASIC = [(present, 10), (past, 10), (continuous, 5), (helped, 6), (gerund, 2), (negative, 5), (question, 4), (what, 3), (being, 8),
         (there, 4), (comparison, 4), (perfect, 3)]
