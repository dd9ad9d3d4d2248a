#!/usr/bin/env python3
"""Measures a running server's pronunciation scores on synthetic speech, over REST.

    venv/bin/python eval_pronunciation.py --server http://127.0.0.1:8080

Prints how well scores tell the right word from a neighbour (ship for sheep): the AUC, the chance that a random right
word has the higher score than a random wrong one. Then, whether words that were left out are reported, and how many
are that were not. Sentences and carriers are held out of the training; "new" voices and words are, too.
"""

import argparse
import base64
import json
import random
import urllib.request

import numpy as np

from speech import sentences, voices, words

OMISSION = "PRONUNCIATION_ERROR_TYPE_OMISSION"
INSERTION = "PRONUNCIATION_ERROR_TYPE_INSERTION"


class Server:
    """A server's Pronunciation method."""

    def __init__(self, address: str, key: str, model: str):
        self.url, self.model = address.rstrip("/") + "/v1/pronunciation", model
        self.headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def words(self, reference: str, samples: np.ndarray) -> list[dict]:
        """Returns the words of the reference, as judged; insertions are left out."""
        body = {"reference_text": reference, "audio": base64.b64encode(samples.tobytes()).decode(), "model": self.model,
                "format": {"encoding": "AUDIO_ENCODING_PCM_S16LE", "sample_rate_hertz": voices.RATE, "channel_count": 1}}
        request = urllib.request.Request(self.url, json.dumps(body).encode(), self.headers)
        with urllib.request.urlopen(request, timeout=300) as response:
            judged = json.load(response)["words"]
        return [{"score": w.get("score", 0), "error": w.get("error_type", w.get("errorType", ""))} for w in judged
                if w.get("error_type", w.get("errorType", "")) != INSERTION]


def say(voice: voices.Voice, text: str, rng: np.random.Generator) -> np.ndarray:
    """Speaks as into a microphone: some silence around it, and a little noise."""
    samples = np.pad(voices.speak(voice, [text])[0], (voices.RATE // 4, voices.RATE // 4))
    level = samples.astype(np.float32).std() * 10 ** (-30 / 20)
    return np.clip(samples + rng.standard_normal(len(samples)) * level, -32768, 32767).astype("<i2")


def area(right: list[float], wrong: list[float]) -> float:
    """The area under the ROC curve: P(right > wrong), ties counted half."""
    difference = np.subtract.outer(np.array(right), np.array(wrong))
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def compare_pairs(server: Server, name: str, pairs, draw, seed: int) -> None:
    """Says each word of the pairs, and asks for its score and for its neighbour's."""
    rng, noise, right, wrong = random.Random(seed), np.random.default_rng(seed), [], []
    for pair in pairs:
        for said, other in (pair, pair[::-1]):
            carrier = rng.choice(sentences.CARRIERS)
            at = carrier.split().index("{}")
            samples = say(draw(rng), carrier.format(said), noise)
            right.append(server.words(carrier.format(said), samples)[at]["score"])
            wrong.append(server.words(carrier.format(other), samples)[at]["score"])
    better = np.mean([r > w for r, w in zip(right, wrong)])
    print(f"{name}: AUC {area(right, wrong):.3f}; right above wrong in {100 * better:.1f} % of {len(right)} comparisons; "
          f"mean scores {np.mean(right):.0f} and {np.mean(wrong):.0f}", flush=True)


def drop_words(server: Server, name: str, count: int, draw, seed: int) -> None:
    """Leaves a word out of each of some held-out sentences."""
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    found = said = false = 0
    texts = [t for t, _ in sentences.make(seed, 4 * count, True, sentences.SENTENCE) if len(t.split()) >= 4][:count]
    for text in texts:
        parts = text.split()
        at = rng.choice([i for i, part in enumerate(parts[:-1]) if len(part) > 2] or [0])
        voice = draw(rng)
        judged = server.words(text, say(voice, " ".join(parts[:at] + parts[at + 1:]), noise))
        found += judged[at]["error"] == OMISSION
        judged = server.words(text, say(voice, text, noise))
        said, false = said + len(judged), false + sum(w["error"] == OMISSION for w in judged)
    print(f"{name}: {found} of {len(texts)} words left out are reported; of {said} words said, {false} are wrongly reported",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--key", default="", help="API key, if the server wants one")
    parser.add_argument("--model", default="", help="the server's model; empty for the one of the task")
    parser.add_argument("--pairs", type=int, default=1000, help="at most, of each kind")
    parser.add_argument("--sentences", type=int, default=60, help="to leave a word out of")
    parser.add_argument("--seed", type=int, default=99)
    options = parser.parse_args()
    server = Server(options.server, options.key, options.model)
    some = lambda pairs: random.Random(options.seed).sample(pairs, min(len(pairs), options.pairs))
    for voice_name, draw in (("trained voices", voices.trained), ("new voices", voices.held_out)):
        compare_pairs(server, f"pairs, {voice_name}", some(words.PAIRS), draw, options.seed)
        compare_pairs(server, f"pairs with new words, {voice_name}", some(words.UNSEEN_PAIRS), draw, options.seed)
        drop_words(server, f"omissions, {voice_name}", options.sentences, draw, options.seed)


if __name__ == "__main__":
    main()
