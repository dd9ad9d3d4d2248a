"""Grammar and chat: held-out sentences and prompts of chat.heldout."""

from collections.abc import Iterator

from chat import heldout
from modelgateway.v1 import common_pb2

from . import scores
from .figures import Figure, Target
from .run import LOCAL, Run

AT_ONCE = 4  # concurrent requests that the server's chat model serves
ERRORS, CORRECT = 500, 200
EACH_ENDS = Target("=", 1.0)
SENSIBLE = Target(">=", 0.9)
GREEDY = {"temperature": 0, "repeat_penalty": 1, "presence_penalty": 0, "max_tokens": 200}
SAMPLED = {"seed": 1}  # otherwise the defaults of the server


def grammar(run: Run) -> Iterator[Figure]:
    """Yields how many sentences with one mistake are corrected exactly, and how many correct ones stay unchanged."""
    cases = heldout.grammar_errors(count=run.most(ERRORS), seed=1)
    fixed = _corrections(run, "grammar: sentences with a mistake", cases)
    yield _share("grammar", "mistake corrected exactly", fixed, Target(">=", 0.80))
    for kind in sorted({case.kind for case in cases}):
        some = [good for good, case in zip(fixed, cases) if case.kind == kind]
        yield _share("grammar", f"  {kind.lower().replace('_', ' ')}", some, None)
    left = _corrections(run, "grammar: correct sentences", heldout.grammar_correct(count=run.most(CORRECT), seed=2))
    yield _share("grammar", "correct sentence left alone", left, Target(">=", 0.95))
    for name, cases in (("by hand: mistake corrected", heldout.handwritten_errors()),
                        ("by hand: correct, left alone", heldout.handwritten_correct())):
        cases = cases[:run.most(len(cases))]
        yield _share("grammar", name, _corrections(run, f"grammar: {name}", cases), None)


def _corrections(run: Run, label: str, cases) -> list[bool]:
    """Requests corrections and returns which ones are right."""
    def ask(case) -> str:
        return run.client.grammar(case.text, routing=LOCAL).corrected_text

    answers = run.progress.each(label, cases, ask, AT_ONCE)
    good = [case.check(answer) for case, answer in zip(cases, answers)]
    if run.verbose:
        for case, answer in zip(cases, answers):
            verdict = "right" if case.check(answer) else f"WRONG, wanted {case.accepted[0]!r}"
            print(f"{case.kind.lower()}: {case.text!r} → {answer!r}: {verdict}")
    return good


def chat(run: Run) -> Iterator[Figure]:
    """Yields how many answers to the held-out prompts are sensible, end before the limit, and have no loops."""
    cases = heldout.chat_prompts()
    cases = cases[:run.most(len(cases))]
    for how, sampling in (("greedy", GREEDY), ("server's sampling", SAMPLED)):
        def ask(case) -> tuple[str, str]:
            answer = run.client.chat(case.prompt, sampling=sampling, routing=LOCAL)
            return answer.message.content, common_pb2.FinishReason.Name(answer.finish_reason)

        answers = run.progress.each(f"chat, {how}", cases, ask, AT_ONCE)
        wrong = [case.check(*answer) for case, answer in zip(cases, answers)]
        if run.verbose:
            for case, (text, _), problem in zip(cases, answers, wrong):
                print(f"{how}, {case.kind}: {case.prompt!r} → {text!r}{': ' + problem if problem else ''}")
        yield _share("chat", f"sensible answer, {how}", [not w for w in wrong], SENSIBLE)
        yield _share("chat", f"ends by itself, {how}", [end == "FINISH_REASON_STOP" for _, end in answers], EACH_ENDS)
        yield _share("chat", f"without a loop, {how}", [not scores.loops(text) for text, _ in answers], EACH_ENDS)


def _share(part: str, name: str, good: list[bool], target: Target | None) -> Figure:
    interval = scores.share_interval(sum(good), len(good))
    return Figure(part, name, sum(good) / len(good), len(good), target, interval=interval)
