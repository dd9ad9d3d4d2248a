"""Dialogues with the tutor: each skill returns (turn, thought); a turn is (question, answer).

Most questions have only one answer, because with several equally good ones
greedy decoding would have ties.
"""

import random

from chat import grammar, lexicon
from chat.dictionary import OPPOSITES, PHRASES, QUESTIONS, STRANGE, STRANGE_PHRASES, WORDS
from chat.lexicon import NUMBERS
from chat.parts import RULES
from chat.phrases import Writer
from speech import words

FALLBACKS = [
    "I am a small starter model, so I do not know that. You can ask me about words and grammar.",
    "Sorry, I do not know that. I am only a small model. Can you ask me a simple question about English?",
]
QUOTES = ['"{}"', '"{}"', "{}", "'{}'"]
SAY = ["How do I say {} in English?", "How do you say {} in English?", "How can I say {} in English?", "What is {} in English?",
       "Translate to English: {}", "{} tiếng Anh là gì?", "{} trong tiếng Anh là gì?", "Dịch sang tiếng Anh: {}", "How to say {} in English?",
       "Please translate {} to English.", "Can you tell me how to say {} in English?", "What is the English for {}?", "{} nói tiếng Anh thế nào?"]
MEAN = ["What does {} mean?", "What does the word {} mean?", "What is the meaning of {}?", "What's the meaning of {}?", "Explain the word {}.",
        "What does {} mean in English?", "Please explain {}.", "Do you know the word {}?", "Can you explain {}?", "meaning of {}",
        "What is the meaning of the word {}?", "Tell me what {} means.", "I don't know the word {}. What does it mean?", "What is {}?"]
NGHIA = ["Từ {} nghĩa là gì?", "{} nghĩa là gì?", "Giải thích từ {} bằng tiếng Việt.", "{} có nghĩa là gì?", "{} tiếng Việt là gì?",
         "{} là gì?", "Cho mình hỏi {} nghĩa là gì?"]
LEADS = ["", "", "", "", "", "", "Hello! ", "Hi, ", "Please, ", "Excuse me, ", "OK. ", "Teacher, ", "And "]
HELLO = ("Hello|Hello!|hello|Hi|Hi!|hi|Hey|Hello there!|Hi there|Hello teacher|Hi, teacher!|hey there|Hello, my friend!|Hello tutor|"
         "Nice to see you.|Hello again!|Hi again|hello!|Hi everyone|Good day!|Helo|Hello :)|hi!|HELLO").split("|")
HOW = ("How are you?|Hello, how are you?|Hi, how are you today?|how are you|How are you doing?|How is it going?|Hi! How are you doing?|"
       "How are you today?|Are you well?|How do you do?|Hello! How is your day?|How's it going?|What's up?|Are you OK?").split("|")
CHAO = "Xin chào|Xin chào!|Chào bạn|xin chào bạn|Chào|Chào cô|Chào thầy|chào bạn!|Xin chào các bạn|Xin chào thầy|em chào cô ạ".split("|")
WHO = ("Who are you?|What is your name?|what's your name|What are you?|Are you a robot?|Tell me about yourself.|who are you|Are you a person?|"
       "Introduce yourself.|Are you human?|Bạn là ai?|Bạn tên là gì?|Who am I talking to?|Are you a teacher?|Are you ChatGPT?").split("|")
CAN = ("What can you do?|Can you help me?|How can you help me?|help|Help me, please.|What do you know?|Can you teach me English?|"
       "What can I ask you?|I need help.|Bạn có thể làm gì?|Can you help me with English?|I want to learn English.|How can I learn English?|"
       "Help me learn English|I want to practise English.|What should I do?|Let's practise English!|What are you able to do?|What do you do?|"
       "Tell me how you can help me.|What can you help me with?|What things can you do for me?|How do you help learners?|What are you good at?").split("|")
THANKS = ("Thank you|Thanks!|Thank you very much.|Cảm ơn|cảm ơn|Thanks a lot!|thank you|thanks|Many thanks.|Cảm ơn bạn|cảm ơn bạn nhiều|"
          "Thank you for your help.|Thanks for helping me.|OK, thank you.|Great, thanks!").split("|")
BYE = ("Goodbye|Bye!|See you|Tạm biệt|bye bye|See you later!|See you tomorrow.|Good bye|I have to go now.|Goodbye, teacher!|"
       "Tạm biệt nhé|Good night!|Have a nice day!").split("|")
OK = "OK|Yes|No|ok|yes|no|I see|Really?|Good|Great!|That is good.|I understand.|Vâng|Yes, please.".split("|")


def greeting(w: Writer):
    thought = "The learner greets me. I will greet back."
    hour, kind = w.pick("morning", "morning", "afternoon", "evening"), w.rng.random()
    if kind < 0.4:
        return (w.any(HELLO), "Hello! How can I help you with your English today?"), thought
    if kind < 0.6:
        lead, tail = w.pick("", "", "Hello, ", "Hi, ", "Hey, "), w.pick("", "!", ".", ", teacher!", ", my friend.", " to you!", " everyone")
        return ((lead + w.pick("Good ", "good ") + hour + tail), f"Good {hour}! What would you like to learn today?"), thought
    if kind < 0.8:
        return (w.pick("", "", "Hello! ", "Hey, ", "Good morning! ") + w.any(HOW), "I am fine, thank you. How are you?"), thought
    if kind < 0.85:
        text, hour = w.pick(("Chào buổi tối", "evening"), ("Chào buổi sáng", "morning"), ("Chào buổi chiều", "afternoon"))
        return (text + w.pick("", "!", " cô", " bạn"), f"Good {hour}! What would you like to learn today?"), thought
    return (w.any(CHAO), "Hello! Let's practise English together. What is your name?"), thought


def introduction(w: Writer):
    thought = "The learner talks about themselves. I will answer kindly and ask a question."
    name, place, kind = w.name(), w.town(), w.rng.random()
    hello = w.pick("", "", "Hello! ", "Hi, ", "Hello, ", "Good morning. ", "Hello teacher, ")
    if kind < 0.5:
        told = w.pick(f"My name is {name}", f"I am {name}", f"I'm {name}", f"my name is {name}", f"My name's {name}", f"This is {name}",
                      f"You can call me {name}", f"My full name is {name}", f"Call me {name}", f"Tôi tên là {name}", f"I would like to introduce "
                      f"myself. My name is {name}", f"Let me introduce myself. I am {name}", f"Mình là {name}", f"I'm called {name}")
        return (hello + told + w.pick(".", "", "!", ", nice to meet you."), f"Nice to meet you, {name}! Where are you from?"), thought
    if kind < 0.7:
        told = w.pick(f"I am from {place}", f"I live in {place}", f"I'm from {place}", f"I come from {place}", f"My home is in {place}",
                      f"I was born in {place}", f"My city is {place}", f"I am living in {place}", f"I live in {place} now")
        return (hello + told + w.pick(".", "", "!"), f"{place} is a nice place! What do you like to do there?"), thought
    if kind < 0.8:
        return (f"{hello}{w.pick('My name is', 'I am')} {name} and I {w.pick('am from', 'live in', 'come from')} {place}.",
                f"Nice to meet you, {name}! What do you like to do in {place}?"), thought
    if kind < 0.9:
        job = w.any(lexicon.JOBS)
        a = "an" if job[0] in "aeiou" else "a"
        return (hello + w.pick(f"I am {a} {job}", f"I work as {a} {job}", f"I'm {a} {job}") + w.pick(".", "", "!"),
                f"Great, you are {a} {job}! Do you like it?"), thought
    hobby = w.any(lexicon.HOBBIES)
    return (w.pick(f"I like {hobby}.", f"My hobby is {hobby}.", f"I love {hobby}", f"I enjoy {hobby}."),
            f"That sounds fun! How often do you enjoy {hobby}?"), thought


def about_me(w: Writer):
    asked, answer = w.pick(
        (WHO, "I am a small English tutor. I can talk with you and help with words and grammar."),
        (CAN, "Yes, I can explain simple words, correct short sentences and talk about everyday topics. What would you like to do?"),
        (THANKS, "You are welcome! Keep practising."), (BYE, "Goodbye! See you next time."),
        (OK, "Good! What would you like to learn now?"))
    lead = w.pick("", "", "Hello! ", "Hi, ", "Hey! ") if asked in (WHO, CAN) else ""
    return (lead + w.any(asked), answer), "This is a simple question about me or a polite word. I will answer shortly."


def age(w: Writer):
    n = w.pick(str(w.rng.randint(6, 70)), w.any(NUMBERS[5:]))
    return (w.pick(f"I am {n} years old.", f"I'm {n} years old", f"I am {n}."), f"You are {n} years old. That is a good age to learn English!"), \
        "The learner tells me their age."


def taste(w: Writer):
    food, drink, animal = w.any(lexicon.FOODS), w.any(lexicon.DRINKS), words.plural(w.any(words.ANIMALS))
    return w.pick(
        (w.pick(f"I like {food}.", f"I love {food}", f"My favourite food is {food}.", f"I like to eat {food}."),
         f"I see, you like {food}. When do you usually eat it?"),
        (w.pick(f"Do you like {food}?", f"Do you eat {food}?"), f"I am a small model, so I cannot eat {food}. Do you like it?"),
        (f"Do you like {drink}?", f"I am a small model, so I cannot drink {drink}. Do you like it?"),
        (w.pick(f"I like {animal}.", f"I love {animal}"), f"I see, you like {animal}. Do you have one at home?"),
    ), "The learner tells me something. I will ask a question about it."


def topic(w: Writer):
    topic = w.any(lexicon.TOPICS)
    return (w.pick(f"Let's talk about {topic}.", f"Can we talk about {topic}?", f"Tell me about {topic}.", f"I want to talk about {topic}"),
            f"Good idea, let's talk about {topic}! What do you think about {topic}?"), f"The topic is {topic}. I will start with a question."


def meaning(w: Writer):
    thought = "The learner asks about a word. I will explain it if I know it."
    if w.chance(0.14):
        word = w.any(STRANGE) if w.chance(0.5) else w.strange().lower()
        if w.chance(0.3):
            return (w.any(NGHIA).format(w.any(QUOTES).format(word)), f'Xin lỗi, tôi là mô hình nhỏ nên không biết từ "{word}".'), thought
        return (w.any(LEADS) + w.any(MEAN[:-1]).format(w.any(QUOTES).format(word)),
                f'Sorry, I do not know the word "{word}". I am only a small model.'), thought
    word, means, vietnamese = w.any(WORDS)
    if w.chance(0.3):
        return (w.any(NGHIA).format(w.any(QUOTES).format(word)), f'Từ "{word}" trong tiếng Việt là "{vietnamese}".'), thought
    lead = w.any(LEADS)
    asked = w.any(MEAN).format(w.any(QUOTES).format(word))
    return (lead + asked, f'The word "{word}" means {means}. In Vietnamese it is "{vietnamese}".'), thought


def phrase(w: Writer):
    thought, kind = "I will translate the phrase if I know it.", w.rng.random()
    if kind < 0.15:
        text = w.any(STRANGE_PHRASES) if w.chance(0.4) else " ".join(w.syllable() for _ in range(w.pick(2, 2, 3, 4, 5)))
        return (w.any(SAY).format(w.any(QUOTES).format(text)), "Sorry, I do not know that in English. I am only a small model."), thought
    vietnamese, english = w.any(PHRASES) if kind < 0.55 else w.any(WORDS)[::-2]
    if kind < 0.85:
        shown = vietnamese if w.chance(0.7) else vietnamese[0].upper() + vietnamese[1:]
        return (w.any(LEADS) + w.any(SAY).format(w.any(QUOTES).format(shown)), f'You can say "{english}".'), thought
    asked = w.pick("How do I say {} in Vietnamese?", "How do you say {} in Vietnamese?", "What is {} in Vietnamese?", "Translate to Vietnamese: {}",
                   "{} tiếng Việt nói thế nào?", "Dịch sang tiếng Việt: {}").format(w.any(QUOTES).format(english))
    return (asked, f'In Vietnamese it is "{vietnamese}".'), thought


def correction(w: Writer):
    """A sentence to check, or one that is simply said."""
    pair = grammar.pair(w)
    asked = w.pick(*['Is this correct? "{}"', 'Is "{}" correct?', "Check my sentence: {}", "Please correct: {}", "Correct this sentence: {}",
                     "Is this sentence right? {}", "Can you check this: {}"]).format(pair.original)
    if pair.rule:
        return (asked, f'Almost! You should say: "{pair.corrected}" {pair.why(False)}'), "I will check the grammar of the sentence."
    return (asked, "Yes, that is correct. Well done!"), "I will check the grammar of the sentence."


def statement(w: Writer):
    pair = grammar.pair(w)
    while pair.corrected.endswith("?"):
        pair = grammar.pair(w)
    answer = f'You should say: "{pair.corrected}" Can you tell me more?' if pair.rule else "I see! Can you tell me more about it?"
    return (pair.original, answer), "The learner says something. I will check it and ask a question."


def explained(pair) -> str:
    if not pair.rule:
        return "Câu này đúng ngữ pháp. Bạn làm tốt lắm!"
    return f'Câu đúng là: "{pair.corrected}" {RULES[pair.rule][2].format(wrong=pair.difference()[0], right=pair.difference()[1], cue=pair.cue)}'


def explain_vietnamese(w: Writer):
    pair = grammar.pair(w)
    asked = w.pick("Explain in Vietnamese: {}", "Giải thích lỗi sai: {}", 'Giải thích bằng tiếng Việt: "{}"', "Câu này sai ở đâu? {}")
    return (asked.format(pair.original), explained(pair)), "I will explain in Vietnamese."


def word_form(w: Writer):
    kind = w.rng.random()
    if kind < 0.55:
        verb = w.any([v for v in lexicon.FORMS.values()])
        asked = w.pick("What is the past tense of {}?", "What's the past tense of {}?", "Past tense of {}", "What is the past of {}?",
                       "What is the past form of {}?", "Tell me the past tense of {}.", "Quá khứ của {} là gì?")
        return (asked.format(w.any(QUOTES).format(verb[0])), f'The past tense of "{verb[0]}" is "{verb[2]}".'), f"The verb is {verb[0]}."
    if kind < 0.8:
        noun = w.any(lexicon.COUNTABLE) if w.chance(0.6) else w.pick("child", "man", "woman", "mouse", "tooth", "foot", "knife", "leaf", "city", "box")
        asked = w.pick("What is the plural of {}?", "Plural of {}", "What's the plural of {}?", "Số nhiều của {} là gì?")
        return (asked.format(w.any(QUOTES).format(noun)), f'The plural of "{noun}" is "{words.plural(noun)}".'), f"The noun is {noun}."
    pair = w.any(OPPOSITES)
    one, other = pair if w.chance(0.5) or pair[0] in ("tall", "new") else pair[::-1]
    if one == "short" or one == "old":
        one, other = pair
    asked = w.pick("What is the opposite of {}?", "Opposite of {}", "What's the opposite of {}?", "Trái nghĩa với {} là gì?")
    return (asked.format(w.any(QUOTES).format(one)), f'The opposite of "{one}" is "{other}".'), f"The word is {one}."


def story(w: Writer):
    """One fixed story an animal, cut to the length asked for."""
    animal = w.any(words.ANIMALS[:12])
    plot = Writer(random.Random(animal))
    name, adjective = plot.any(lexicon.NAMES), plot.pick("big", "small", "happy", "young", "kind", "brave", "quiet", "clever")
    lines = [f"Once upon a time there was a {adjective} {animal}.", f"Its name was {name}.", f"{name} lived near the {plot.any(words.PLACES)}."]
    for verb in plot.rng.sample(["eat", "read", "drink", "play", "clean", "visit", "buy", "sing", "find", "learn"], 8):
        day = plot.pick("One day", "Then", "After that", "The next morning", "Later", "In the evening")
        lines.append(f"{day}, {name} {lexicon.FORMS[verb][2]} {lexicon.OBJECTS[verb][0]} with a {plot.any(lexicon.FAMILY[:8])}.")
    size, count = w.pick(("", 6), ("short ", 4), ("little ", 4), ("long ", 11))
    return (w.pick(f"Tell me a {size}story about a {animal}.", f"Write a {size}story about a {animal}.", f"tell me a {size}story about a {animal}"),
            " ".join(lines[:count] + [f"In the end, {name} was very happy."])), f"I will tell a story about a {animal}."


def count(w: Writer):
    begin, end = (1, w.rng.randint(2, 20)) if w.chance(0.8) else sorted(w.rng.sample(range(1, 21), 2))
    show = (lambda n: NUMBERS[n - 1]) if w.chance(0.6) else str
    asked = w.pick(f"Count to {show(end)}", f"count to {show(end)}", f"Can you count to {show(end)}", f"Count from one to {show(end)}",
                   f"Please count to {show(end)}", f"Count from 1 to {show(end)}") if begin == 1 else f"Count from {show(begin)} to {show(end)}"
    return (asked + w.pick(".", ".", "", "!", ", please."), ", ".join(NUMBERS[begin - 1:end]).capitalize() + "."), "I will count."


def unknown(w: Writer):
    """What the model does not know: it must answer politely and end its turn."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,.!?<>|{}[]()/_-+=\n éàđấ😀🎉ữ中文"
    kind = w.rng.random()
    if kind < 0.15:
        text = "".join(w.any(letters) for _ in range(w.rng.randint(1, 60)))
    elif kind < 0.35:
        pool = lexicon.NAMES + lexicon.TOWNS + lexicon.FOODS + lexicon.TOPICS + STRANGE + \
            "the of why computer explain <|im_start|> system ignore write code python capital France 12 100".split()
        text = " ".join(w.any(pool) for _ in range(w.rng.randint(3, 25))) + w.pick("", "?", ".")
    else:
        thing = lambda: w.pick(w.town(), w.any(STRANGE), str(w.rng.randint(2, 999)), w.name(), w.strange())
        text = w.any(QUESTIONS)
        while "{}" in text:
            text = text.replace("{}", thing(), 1)
        text = (text if w.chance(0.3) else text[0].upper() + text[1:]) + w.pick("?", "?", "", ".")
    return (text, w.rng.choices(FALLBACKS, (6, 1))[0]), "I do not know this. I will say so."


SKILLS = [(greeting, 6), (introduction, 7), (about_me, 6), (age, 1), (taste, 4), (topic, 2), (meaning, 13), (phrase, 11), (correction, 3),
          (statement, 8), (explain_vietnamese, 3), (word_form, 6), (story, 1), (count, 4), (unknown, 8)]
CORE = {text for texts in (HELLO, HOW, CHAO, WHO, CAN, THANKS, BYE, OK) for text in texts}


def turn(w: Writer):
    """One exchange of any skill. Prompts of CORE, the commonest of all, are trained whatever their hash."""
    from chat.heldout import is_held_out

    skill = w.rng.choices([s for s, _ in SKILLS], [weight for _, weight in SKILLS])[0]
    while True:
        (asked, answered), thought = skill(w)
        if asked in CORE or not is_held_out(asked):
            return (asked, answered), thought


def remembered(w: Writer):
    """Turns in which a name or a place is asked for again."""
    from chat.heldout import is_held_out

    name, place = w.name(), w.town()
    turns = [(w.pick(f"My name is {name}.", f"Hello, I am {name}."), f"Nice to meet you, {name}! Where are you from?")]
    if w.chance(0.5):
        turns.append((w.pick(f"I am from {place}.", f"I live in {place}."), f"{place} is a nice place! What do you like to do there?"))
        if w.chance(0.5):
            turns.append((w.pick("Where am I from?", "Where do I live?"), f"You told me about {place}."))
        else:
            turns.append((w.pick("What is my name?", "Do you remember my name?", "What's my name?"), f"Your name is {name}."))
    else:
        turns.append((w.pick("What is my name?", "Do you remember my name?", "What's my name?"), f"Your name is {name}."))
    if any(is_held_out(asked) for asked, _ in turns):
        return remembered(w)
    return turns, "I will look at what the learner told me."
