"""Everyday phrases, and the examples of the documentation: greetings, introductions, requests.

There are few of these texts, so the training uses each many times. They are held out by their letters, like all
sentences.
"""

import random

from speech import words

# Of the documents' examples and of those that everybody tries first.
SHOWN = [
    "Hello there. How are you today?", "Hello there.", "Hello, how are you?", "Hello. How are you?", "Hello, world!", "Hello world.",
    "The quick brown fox.", "The quick brown fox jumps over the lazy dog.", "She has two books.", "This is a test.", "One two three.",
    "How are you today?", "Is the quick brown fox there?", "Good morning.", "Testing, one, two, three.", "Count to five.",
]
GREETINGS = ["hello", "hi", "hello there", "hi there", "good morning", "good afternoon", "good evening", "welcome",
             "hello everybody", "hello everyone", "good day", "excuse me"]
QUESTIONS = ["how are you", "how are you today", "how are you doing", "what is your name", "where are you from", "how old are you",
             "where do you live", "what do you do", "do you speak English", "do you understand", "what time is it",
             "what day is it today", "how much is it", "how much is this", "what does it mean", "can you help me",
             "how was your day", "what is this", "where are you going", "who is this", "are you ready", "is it far"]
ANSWERS = ["thank you", "thank you very much", "thanks", "I am fine", "I am fine, thank you", "I am very well, thank you", "yes, please",
           "no, thank you", "yes, I do", "no, I do not", "I do not know", "I do not understand", "I am sorry", "you are welcome",
           "it is nice to meet you", "nice to meet you", "nice to meet you too", "I am glad to see you", "that is right",
           "that is wrong", "very good", "well done", "try again", "of course", "I think so", "not today", "all right"]
FAREWELLS = ["goodbye", "bye", "bye bye", "good night", "see you soon", "see you later", "see you tomorrow", "have a nice day",
             "take care", "see you again", "until next time", "have a good weekend"]
COUNTRIES = ["Vietnam", "America", "London", "the city", "the country", "a small town", "a small village"]
JOBS = ["a student", "a teacher", "a doctor", "a nurse", "a farmer", "a cook", "an engineer", "a driver", "an artist", "a learner"]
SUBJECTS = ["English", "Vietnamese", "grammar", "this word", "this sentence", "the new words", "music", "my pronunciation"]
HOBBIES = ["read books", "play football", "listen to music", "watch films", "cook dinner", "play the piano", "go swimming",
           "learn English", "speak English", "travel", "meet my friends", "ride my bike", "walk in the park", "dance and sing"]


def food(rng: random.Random) -> str:
    amount = rng.choice(["some ", "a cup of ", "a glass of ", "a bottle of "])
    if amount == "some ":
        return amount + rng.choice(words.FOOD)
    return amount + rng.choice(["tea", "coffee", "water", "milk", "juice", "hot chocolate"])


def introduction(rng: random.Random) -> str:
    name = rng.choice(words.NAMES).capitalize()
    return rng.choice([
        f"my name is {name}", f"I am {name}", f"I am from {rng.choice(COUNTRIES)}", f"I come from {rng.choice(COUNTRIES)}",
        f"I live in {rng.choice(COUNTRIES)}", f"I am {rng.choice(JOBS)}", f"I am {rng.choice(words.NUMBERS[11:29])} years old",
        f"my {rng.choice(words.PEOPLE)} is {rng.choice(JOBS)}", f"this is my {rng.choice(words.PEOPLE)}", f"I like to {rng.choice(HOBBIES)}",
        f"I want to {rng.choice(HOBBIES)}", f"I am learning {rng.choice(SUBJECTS)}", f"my favourite food is {rng.choice(words.FOOD)}",
        f"I would like to {rng.choice(HOBBIES)}", f"I am {rng.choice(words.ADJECTIVES)} today"])


def request(rng: random.Random) -> str:
    word = rng.choice(words.THINGS + words.FOOD)
    return rng.choice([
        f"I would like {food(rng)}", f"I would like {food(rng)}, please", f"can I have {food(rng)}", f"could I have {food(rng)}, please",
        f"where is the {rng.choice(words.PLACES)}", f"how do I get to the {rng.choice(words.PLACES)}", f"how do you say {word} in English",
        f"what does {word} mean", f"how do you spell {word}", f"I would like to buy a {rng.choice(words.THINGS)}",
        f"please speak {rng.choice(['slowly', 'more slowly', 'loudly', 'English'])}", f"the weather is {rng.choice(words.ADJECTIVES)} today",
        f"can you help me with {rng.choice(SUBJECTS)}", f"today is {rng.choice(words.TIMES[9:16]).capitalize()}",
        f"see you on {rng.choice(words.TIMES[9:16]).capitalize()}", f"it is a {rng.choice(words.ADJECTIVES)} day"])


def ended(text: str) -> str:
    asks = text.split()[0] in ("how", "what", "where", "who", "do", "can", "could", "is", "are")
    return text[0].upper() + text[1:] + ("?" if asks else ".")


def text(rng: random.Random) -> str:
    """Returns one or two sentences."""
    if rng.random() < 0.12:
        return rng.choice(SHOWN)
    first = rng.choice([lambda: rng.choice(GREETINGS), lambda: rng.choice(QUESTIONS), lambda: rng.choice(ANSWERS),
                        lambda: introduction(rng), lambda: introduction(rng), lambda: request(rng), lambda: request(rng),
                        lambda: rng.choice(FAREWELLS)])()
    if first not in GREETINGS + ANSWERS + FAREWELLS or rng.random() < 0.3:
        return ended(first)
    if first in GREETINGS and rng.random() < 0.3:
        first += ", " + rng.choice(words.NAMES).capitalize()
    second = rng.choice([lambda: rng.choice(QUESTIONS), lambda: rng.choice(QUESTIONS), lambda: introduction(rng), lambda: request(rng),
                         lambda: rng.choice(FAREWELLS)])()
    return f"{ended(first)} {ended(second)}"
