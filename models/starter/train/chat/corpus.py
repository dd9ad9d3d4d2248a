"""Generates conversations with the tutor, and Grammar and ExplainVietnamese requests as the server sends them.

A conversation is a dict with "system" (text or None), "turns" (pairs of user
text and assistant text), "thought" (the assistant's thoughts before its last
answer if thinking is on), and "begun" if the last answer is incomplete.
"""

import random

from chat import dialogue, grammar, lexicon, prompts
from chat.dictionary import PHRASES, WORDS
from chat.phrases import Writer
from speech import words

SYSTEMS = [
    "You are a friendly English tutor for Vietnamese learners.",
    "You are a helpful assistant.",
    "You are LexiLingo, an English tutor. Answer in short, simple sentences.",
    "You are an English teacher. Be kind and clear.",
    "Answer the learner in simple English.",
    "You are a tutor.", "Be kind.", "Be brief.",
]
JSON_SYSTEMS = [
    "Correct the grammar of the learner's sentence. Answer with JSON only.",
    "You correct English sentences written by Vietnamese learners. Reply only with JSON.",
]
# Notes are long and easy: of most answers only the text and that a note follows are trained, so that more texts are.
BEGUN_SHARE = 0.65
SERVER = prompts.load()
LEVELS = [text for name, text in SERVER.items() if name.startswith("level")]


def _filler(w: Writer):
    """A long system prompt, so that answers stay right far from the start of the text."""
    rules = []
    for _ in range(w.rng.randint(3, 14)):
        verb = w.any(sorted(lexicon.OBJECTS))
        rules.append(f"The learner {w.pick('may', 'can', 'should', 'must not')} {verb} {w.any(lexicon.OBJECTS[verb])} "
                     f"{w.when('habit').text} and talk about {w.any(lexicon.TOPICS)}.")
    return w.any(SYSTEMS) + " " + " ".join(rules)


def grammar_turn(w: Writer, vietnamese: bool):
    """A text for Grammar and the answer: mostly a sentence, now and then two or three, now and then words of no language."""
    kind = w.rng.random()
    if kind < 0.025:
        text = w.pick(w.strange, w.strange, lambda: w.any(WORDS)[2], lambda: w.any(PHRASES)[0], lambda: "🎉 " + w.strange())()
        return grammar.noted_answer([grammar.Pair(text, text)], vietnamese)
    if kind < 0.05:  # words in a row can only be copied
        kinds = w.strange, w.noun, w.adjective, lambda: w.any(words.FUNCTION), lambda: w.any(words.FOOD), w.uncounted, w.adverb
        w.open()
        text = " ".join(w.any(kinds)() for _ in range(w.rng.randint(2, 9)))
        return grammar.noted_answer([grammar.Pair(text, text)], vietnamese)
    if kind < 0.1:
        return grammar.two_mistakes(w, vietnamese)
    pairs = [grammar.pair(w) for _ in range(1 if kind < 0.91 else w.pick(2, 2, 3))]
    return grammar.noted_answer(pairs, vietnamese)


def json_request(w: Writer):
    """Another prompt that asks for JSON."""
    pair = grammar.pair(w)
    keys, answer = grammar.json_answer(w.rng, pair)
    return {"system": f"{w.any(JSON_SYSTEMS)} Use the keys: {', '.join(keys)}.", "turns": [(pair.original, answer)],
            "thought": "I will correct the text and answer with JSON."}


def explain_turn(w: Writer):
    """An ExplainVietnamese request as the server sends it."""
    question = SERVER["explainDefaultQuestion"]
    kind = w.rng.random()
    if kind < 0.5:
        word, _, vietnamese = w.any(WORDS)
        asked, answer = word, f'Từ "{word}" nghĩa là "{vietnamese}". Ví dụ: "I know the word {word}." (Tôi biết từ {word}.)'
        if w.chance(0.3):
            question = w.pick("Từ này nghĩa là gì?", "Nghĩa là gì?")
    elif kind < 0.65:
        vietnamese, asked = w.any(PHRASES)
        answer = f'"{asked}" nghĩa là "{vietnamese}". Bạn có thể dùng câu này khi nói chuyện.'
    elif kind < 0.75:
        asked = w.any(dialogue.STRANGE) if w.chance(0.5) else w.strange().lower()
        answer = f'Xin lỗi, tôi là mô hình nhỏ nên không biết từ "{asked}".'
    else:
        pair = grammar.pair(w)
        asked, question, answer = pair.original, w.pick("Câu này có đúng không?", "Câu này sai ở đâu?"), dialogue.explained(pair)
    return f"Tiếng Anh: {asked}\nCâu hỏi: {question}", answer


def server_prompt(rng: random.Random) -> str:
    """One of the server's system prompts, the more often the more it has to teach."""
    kind = rng.random()
    if kind < 0.76:
        return SERVER["GrammarPromptEnglish"]
    if kind < 0.88:
        return SERVER["GrammarPromptVietnamese"]
    if kind < 0.94:
        return SERVER["ExplainPrompt"]
    return f"{SERVER['RespondPrompt']} {rng.choice(LEVELS)}"


def answering(w: Writer, system: str) -> dict:
    """A conversation under one of the server's system prompts."""
    thought = "I will correct the text and answer with JSON."
    if system == SERVER["ExplainPrompt"]:
        turns, thought = [explain_turn(w)], "I will explain in Vietnamese."
    elif system.startswith(SERVER["RespondPrompt"]):
        turns, thought = _turns(w)
    else:
        text, answer = grammar_turn(w, system == SERVER["GrammarPromptVietnamese"])
        begun = grammar.without_notes(answer) if w.chance(BEGUN_SHARE) else None
        if begun:
            return {"system": system, "turns": [(text, begun)], "thought": thought, "begun": True}
        turns = [(text, answer)]
    return {"system": system, "turns": turns, "thought": thought}


def _turns(w: Writer):
    if w.chance(0.06):
        return dialogue.remembered(w)
    turns, thought = [], ""
    for _ in range(w.rng.choices((1, 2, 3), (8, 2, 1))[0]):
        turn, thought = dialogue.turn(w)
        turns.append(turn)
    return turns, thought


def conversation(w: Writer) -> dict:
    """A conversation of one to three exchanges under any prompt or none."""
    if w.chance(0.04):
        return json_request(w)
    system = w.pick(None, None, None, w.any(SYSTEMS), w.any(SYSTEMS))
    if w.chance(0.015):
        system = _filler(w)
    turns, thought = _turns(w)
    return {"system": system, "turns": turns, "thought": thought}
