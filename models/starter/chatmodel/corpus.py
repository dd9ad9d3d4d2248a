"""Generates tutoring conversations from templates.

A conversation is a dict with "system" (text or None), "turns" (pairs of user
text and assistant text) and "thought" (what the assistant thinks before its
last answer when thinking is on). Everything comes from the given random
generator, so a seed gives the same corpus.
"""

import random

from . import grammar, prompts, words
from .words import PHRASES, DICTIONARY

SYSTEMS = [
    "You are a friendly English tutor for Vietnamese learners.",
    "You are a helpful assistant.",
    "You are LexiLingo, an English tutor. Answer in short, simple sentences.",
    "You are an English teacher. Be kind and clear.",
    "Answer the learner in simple English.",
]
JSON_SYSTEMS = [
    "Correct the grammar of the learner's sentence. Answer with JSON only.",
    "You correct English sentences written by Vietnamese learners. Reply only with JSON.",
]
SERVER = prompts.load()
LEVELS = [text for name, text in SERVER.items() if name.startswith("level")]
FALLBACKS = [
    "I am a small starter model, so I do not know that. You can ask me about words and grammar.",
    "Sorry, I am only a small model. Can you ask me a simple question about English?",
    "I am not sure. I can greet you, explain simple words and correct short sentences.",
]


def _greeting(rng):
    hour = rng.choice(["morning", "afternoon", "evening"])
    return rng.choice([
        (rng.choice(["Hello", "Hello!", "hello", "Hi", "Hi!", "hi", "Hey", "Hello there!", "Hi there"]),
         "Hello! How can I help you with your English today?"),
        (f"Good {hour}" + rng.choice(["", "!", "."]), f"Good {hour}! What would you like to learn today?"),
        (rng.choice(["How are you?", "Hello, how are you?", "Hi, how are you today?", "how are you"]),
         "I am fine, thank you. How are you?"),
        (rng.choice(["Xin chào", "Xin chào!", "Chào bạn", "xin chào bạn"]),
         "Hello! Let's practise English together. What is your name?"),
    ]), "The learner greets me. I will greet back."


def _introduction(rng):
    name, place, hobby = rng.choice(words.NAMES), rng.choice(words.PLACES), rng.choice(words.HOBBIES)
    return rng.choice([
        (rng.choice([f"My name is {name}.", f"I am {name}.", f"Hi, I'm {name}", f"Hello! My name is {name}."]),
         f"Nice to meet you, {name}! Where are you from?"),
        (rng.choice([f"I am from {place}.", f"I live in {place}.", f"I'm from {place}"]),
         f"{place} is a nice place! What do you like to do there?"),
        (rng.choice([f"I like {hobby}.", f"My hobby is {hobby}.", f"I love {hobby}"]),
         f"That sounds fun! How often do you enjoy {hobby}?"),
    ]), "The learner talks about themselves. I will answer kindly and ask a question."


def _about_me(rng):
    return rng.choice([
        (rng.choice(["Who are you?", "What is your name?", "what's your name"]),
         "I am a small English tutor. I can talk with you and help with grammar."),
        (rng.choice(["What can you do?", "Can you help me?", "How can you help me?", "help"]),
         "Yes, I can explain simple words, correct short sentences and talk about everyday topics."),
        (rng.choice(["Thank you", "Thanks!", "Thank you very much.", "Cảm ơn"]), "You are welcome! Keep practising."),
        (rng.choice(["Goodbye", "Bye!", "See you", "Tạm biệt"]), "Goodbye! See you next time."),
    ]), "This is a simple question about me or a polite word. I will answer shortly."


def _taste(rng):
    food, drink = rng.choice(words.FOODS), rng.choice(words.DRINKS)
    return rng.choice([
        (rng.choice([f"I like {food}.", f"I love {food}", f"My favourite food is {food}."]),
         f"I see, you like {food}. When do you usually eat it?"),
        (f"Do you like {drink}?", f"I cannot drink {drink}, but many people like it. Do you?"),
        (f"I went to {(spot := rng.choice(words.SPOTS))} {rng.choice(words.PAST_TIMES)}.",
         f"Great! What did you do at {spot.removeprefix('the ')}?"),
    ]), "The learner tells me something. I will ask a question about it."


def _topic(rng):
    topic = rng.choice(words.TOPICS)
    return (rng.choice([f"Let's talk about {topic}.", f"Can we talk about {topic}?", f"Tell me about {topic}.",
                        f"I want to talk about {topic}"]),
            f"Good idea, let's talk about {topic}! What do you think about {topic}?"), \
        f"The topic is {topic}. I will start with a question."


def _meaning(rng):
    word, meaning, vietnamese = rng.choice(DICTIONARY)
    return rng.choice([
        (rng.choice([f'What does "{word}" mean?', f"What does {word} mean?", f"What is the meaning of {word}?",
                     f'Explain the word "{word}".']),
         f'The word "{word}" means {meaning}. In Vietnamese it is "{vietnamese}".'),
        (rng.choice([f'Từ "{word}" nghĩa là gì?', f"{word} nghĩa là gì?", f'Giải thích từ "{word}" bằng tiếng Việt.']),
         f'Từ "{word}" trong tiếng Việt là "{vietnamese}".'),
    ]), f'The learner asks about the word "{word}". I will explain it.'


def _phrase(rng):
    vietnamese, english = rng.choice(PHRASES)
    return (rng.choice([f'How do I say "{vietnamese}" in English?', f'How do you say "{vietnamese}" in English?',
                        f"Translate to English: {vietnamese}", f'"{vietnamese}" tiếng Anh là gì?']),
            f'You can say "{english}".'), "I will translate the phrase."


def _grammar_chat(rng):
    original, corrected, kind, why = grammar.pair(rng)
    answer = "Yes, that is correct. Well done!" if kind == "none" else f'Almost! You should say: "{corrected}" {why}'
    return (rng.choice([f'Is this correct? "{original}"', f'Is "{original}" correct?', f"Check my sentence: {original}",
                        f"Please correct: {original}"]), answer), "I will check the grammar of the sentence."


def _explained(pair):
    original, corrected, kind, _ = pair
    if kind == "none":
        return "Câu này đúng ngữ pháp. Bạn làm tốt lắm!"
    return f'Câu đúng là: "{corrected}" {grammar.KINDS[kind][1]}.'


def _explain_vietnamese(rng):
    pair = grammar.pair(rng)
    asked = rng.choice([f"Explain in Vietnamese: {pair[0]}", f"Giải thích lỗi sai: {pair[0]}",
                        f'Giải thích bằng tiếng Việt: "{pair[0]}"'])
    return (asked, _explained(pair)), "I will explain in Vietnamese."


def _past(rng):
    verb = rng.choice(words.VERBS)
    return (f"What is the past tense of {verb[0]}?", f'The past tense of "{verb[0]}" is "{verb[2]}".'), \
        f"The verb is {verb[0]}."


def _story(rng):
    # One fixed story an animal, cut to the length asked for: an answer that could go on in
    # many equally good ways would leave greedy decoding with ties.
    animal = rng.choice(words.ANIMALS)
    plot = random.Random(animal)
    name, adjective = plot.choice(words.NAMES), plot.choice(words.ADJECTIVES)
    article = "an" if adjective[0] in "aeiou" else "a"
    lines = [f"Once upon a time there was {article} {adjective} {animal}.", f"Its name was {name}.",
             f"{name} lived near {plot.choice(words.SPOTS[1:])}."]
    for verb in plot.sample(words.VERBS, 14):
        day = plot.choice(["One day", "Then", "After that", "The next morning", "Later", "In the evening"])
        lines.append(f"{day}, {name} {verb[2]} {verb[4]} with a {plot.choice(words.FRIENDS)}.")
    size, count = rng.choice([("", 8), ("short ", 5), ("little ", 5), ("long ", 17)])
    lines = lines[:count] + [f"In the end, {name} was very happy."]
    return (rng.choice([f"Tell me a {size}story about a {animal}.", f"Write a {size}story about a {animal}."]),
            " ".join(lines)), f"I will tell a story about a {animal}."


def _count(rng):
    end = rng.randint(3, 20)
    return (rng.choice([f"Count to {words.NUMBERS[end - 1]}.", f"Count from one to {words.NUMBERS[end - 1]}."]),
            ", ".join(words.NUMBERS[:end]).capitalize() + "."), "I will count."


def _noise(rng):
    """Text that the model does not know: it must answer politely and end its turn."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,.!?<>|{}[]()/_-+=\n éàđấ😀🎉ữ中文"
    if rng.random() < 0.4:
        text = "".join(rng.choice(letters) for _ in range(rng.randint(1, 60)))
    else:
        pool = words.NAMES + words.PLACES + words.FOODS + words.TOPICS + [w for w, _, _ in DICTIONARY] + \
            "the of why computer explain <|im_start|> system ignore write code python capital France 12 100".split()
        text = " ".join(rng.choice(pool) for _ in range(rng.randint(2, 25))) + rng.choice(["", "?", "."])
    return (text, rng.choices(FALLBACKS, (6, 3, 1))[0]), "I do not know this. I will say so."


SKILLS = [(_greeting, 4), (_introduction, 4), (_about_me, 3), (_taste, 4), (_topic, 3), (_meaning, 5), (_phrase, 3),
          (_grammar_chat, 6), (_explain_vietnamese, 4), (_past, 2), (_story, 2), (_count, 2), (_noise, 6)]


def _filler(rng):
    """A long system prompt, so that answers stay right far from the start of the text."""
    rules = []
    for _ in range(rng.randint(5, 20)):
        verb = rng.choice(words.VERBS)
        rules.append(f"The learner {rng.choice(['may', 'can', 'should', 'must not'])} {verb[0]} {verb[4]} "
                     f"{rng.choice(words.TIMES)} and talk about {rng.choice(words.TOPICS)}.")
    return rng.choice(SYSTEMS) + " " + " ".join(rules)


def _grammar(rng):
    """A Grammar request as the server sends it; now and then another prompt that asks for JSON."""
    thought = "I will correct the text and answer with JSON."
    if rng.random() < 0.2:
        original, corrected, kind, _ = grammar.pair(rng)
        keys, answer = grammar.json_answer(rng, corrected, kind == "none")
        system = f"{rng.choice(JSON_SYSTEMS)} Use the keys: {', '.join(keys)}."
        return {"system": system, "turns": [(original, answer)], "thought": thought}
    vietnamese = rng.random() < 0.35
    turns = []
    # Several exchanges after one prompt: the long prompt would otherwise be most of the work.
    for _ in range(rng.choice((1, 2, 3))):
        pairs = [grammar.pair(rng) for _ in range(rng.choices((1, 2), (7, 2))[0])]
        turns.append(grammar.noted_answer(pairs, vietnamese))
    return {"system": SERVER["GrammarPromptVietnamese" if vietnamese else "GrammarPromptEnglish"],
            "turns": turns, "thought": thought}


def _explain(rng):
    """An ExplainVietnamese request as the server sends it."""
    question = SERVER["explainDefaultQuestion"]
    if rng.random() < 0.5:
        word, _, vietnamese = rng.choice(DICTIONARY)
        asked, answer = word, f'Từ "{word}" nghĩa là "{vietnamese}". Ví dụ: "I know the word {word}." (Tôi biết từ {word}.)'
        if rng.random() < 0.3:
            question = rng.choice(["Từ này nghĩa là gì?", "Nghĩa là gì?"])
    elif rng.random() < 0.4:
        vietnamese, asked = rng.choice(PHRASES)
        answer = f'"{asked}" nghĩa là "{vietnamese}". Bạn có thể dùng câu này khi nói chuyện.'
    else:
        pair = grammar.pair(rng)
        asked, question, answer = pair[0], rng.choice(["Câu này có đúng không?", "Câu này sai ở đâu?"]), _explained(pair)
    return {"system": SERVER["ExplainPrompt"], "turns": [(f"Tiếng Anh: {asked}\nCâu hỏi: {question}", answer)],
            "thought": "I will explain in Vietnamese."}


def conversation(rng: random.Random) -> dict:
    """Returns one conversation of one to three exchanges."""
    kind = rng.random()
    if kind < 0.28:
        return _grammar(rng)
    if kind < 0.36:
        return _explain(rng)
    system = rng.choice([None, None, rng.choice(SYSTEMS), rng.choice(SYSTEMS),
                         f"{SERVER['RespondPrompt']} {rng.choice(LEVELS)}"])
    if rng.random() < 0.05:
        system = _filler(rng)
    turns, thought = [], ""
    for _ in range(rng.choices((1, 2, 3), (6, 3, 2))[0]):
        skill = rng.choices([s for s, _ in SKILLS], [w for _, w in SKILLS])[0]
        turn, thought = skill(rng)
        turns.append(turn)
    return {"system": system, "turns": turns, "thought": thought}
