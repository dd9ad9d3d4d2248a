#!/usr/bin/env python3
"""An example of an engine in Python: character n-grams that detect and imitate languages.

Replace it with your own model. Its model file is JSON and maps languages to
texts; load counts their n-grams. The task "invoke" has the method
detect_language; the task "chat" continues in the language of the user. It needs
the package modelgateway (clients/python).
"""

import collections
import dataclasses
import json
import math
import random
from collections.abc import Iterator
from typing import Any

from modelgateway import InvalidRequest, ModelFileInvalid, engine
from modelgateway.v1 import chat_pb2

# Longer texts are truncated; more characters would not change the detected language.
MAX_CHARACTERS = 10_000

# Assumed number of different characters in a language, for characters that its text lacks.
CHARACTERS = 500


@dataclasses.dataclass
class Parameters:
    """The model's `parameters` in the configuration."""

    order: int = 4  # characters per n-gram
    max_tokens: int = 200  # for requests without a limit
    delay: float = 0.0  # seconds before each character, to slow it down


class NgramEngine(engine.Engine):
    name = "ngram"
    version = "1.0.0"
    tasks = ("chat", "invoke")

    def load(self, options: engine.LoadOptions) -> engine.Model:
        parameters = options.decode(Parameters)
        if not 1 <= parameters.order <= 8:
            raise InvalidRequest("parameter 'order' must be 1 to 8", metadata={"parameter": "order"})
        try:
            texts = json.loads(options.file().read_text(encoding="utf-8"))
            languages = {str(language): str(text) for language, text in texts.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise ModelFileInvalid("the model's file must be a JSON object that maps languages to texts") from error
        if not all(languages.values()) or not languages:
            raise ModelFileInvalid("the model's file must have at least one language, and a text for each")
        model = NgramModel(parameters)
        for done, (language, text) in enumerate(languages.items(), 1):
            model.learn(language, text)
            options.report(done / len(languages))
        return model


class NgramModel(engine.Model):
    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        # For each language and context: how often each character followed.
        self.counts: dict[str, dict[str, collections.Counter[str]]] = {}

    @property
    def description(self) -> str:
        grams = sum(len(contexts) for contexts in self.counts.values())
        return f"character {self.parameters.order}-grams of {', '.join(self.counts)}: {grams} contexts"

    def learn(self, language: str, text: str) -> None:
        contexts = self.counts.setdefault(language, collections.defaultdict(collections.Counter))
        text = f" {text} "
        for at, character in enumerate(text):
            for length in range(self.parameters.order):
                if length <= at:
                    contexts[text[at - length : at]][character] += 1

    def surprise(self, language: str, text: str, call: engine.Call) -> float:
        """Returns the bits per character of the text in a language, with Witten-Bell smoothing from the shortest
        context to the longest."""
        contexts, bits = self.counts[language], 0.0
        for at, character in enumerate(text):
            if at % 1000 == 0:
                call.check()
            probability = 1 / CHARACTERS
            for length in range(min(self.parameters.order, at + 1)):
                seen = contexts.get(text[at - length : at])
                if not seen:
                    break
                probability = (seen[character] + len(seen) * probability) / (seen.total() + len(seen))
            bits -= math.log2(probability)
        return bits / len(text)

    def detect(self, text: str, call: engine.Call) -> dict[str, float]:
        text = text[:MAX_CHARACTERS]
        costs = {language: self.surprise(language, text, call) for language in self.counts}
        call.count(len(costs))
        best = min(costs.values())
        weights = {language: 2 ** ((best - cost) * len(text)) for language, cost in costs.items()}
        return {language: weight / sum(weights.values()) for language, weight in weights.items()}

    # One method for each task.

    def invoke(self, method: str, params: dict[str, Any], call: engine.Call) -> dict[str, Any]:
        text = params.get("text")
        if method != "detect_language":
            raise InvalidRequest(f"unknown method {method!r}; the only one is detect_language")
        if not isinstance(text, str) or not text:
            raise InvalidRequest("params.text must be a non-empty string")
        scores = self.detect(text, call)
        return {"language": max(scores, key=lambda language: scores[language]), "probabilities": scores}

    def chat(self, request: chat_pb2.ChatRequest, call: engine.Call) -> Iterator[str | chat_pb2.StreamChatResponse]:
        if not request.messages:
            raise InvalidRequest("the request has no messages")
        heard = request.messages[-1].content[:MAX_CHARACTERS] or " "
        scores = self.detect(heard, call)
        contexts = self.counts[max(scores, key=lambda language: scores[language])]
        sampling = request.sampling
        limit = sampling.max_tokens or self.parameters.max_tokens
        choice = random.Random(sampling.seed if sampling.HasField("seed") else None)
        said = heard[-self.parameters.order :] + " "
        for count in range(limit):
            call.wait(self.parameters.delay)  # raises if the call is cancelled
            character = self.next_character(contexts, said, choice)
            said = (said + character)[-self.parameters.order :]
            call.count()
            yield character
            if character in ".?!" and count >= limit // 2:
                yield engine.finish(prompt_tokens=len(heard), completion_tokens=count + 1)
                return
        yield engine.finish(prompt_tokens=len(heard), completion_tokens=limit, cut=True)

    def next_character(self, contexts: dict[str, collections.Counter[str]], said: str, choice: random.Random) -> str:
        """Draws a character from the longest known context."""
        for length in range(self.parameters.order - 1, -1, -1):
            seen = contexts.get(said[len(said) - length :])
            if seen:
                return choice.choices(list(seen), seen.values())[0]
        return " "


if __name__ == "__main__":
    engine.serve(NgramEngine())
