"""Tests error rates, areas and intervals with values computed by hand or published."""

import pytest
from eval import scores


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello there. How are you today?", "hello there how are you today"),
        ("  It\N{RIGHT SINGLE QUOTATION MARK}s 'fine',\nI don't know!", "it's fine i don't know"),
        ("Twenty-one, or 21", "twenty one or 21"),
        ("... ' - ?", ""),
    ],
)
def test_normalise(text: str, words: str) -> None:
    assert scores.normalise(text) == words


@pytest.mark.parametrize(
    ("left", "right", "edits"), [("kitten", "sitting", 3), ("saturday", "sunday", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0)]
)
def test_distance(left: str, right: str, edits: int) -> None:
    assert scores.distance(left, right) == edits


def test_word_errors_count_all_three_kinds() -> None:
    assert scores.word_errors("The cat sat on the mat.", "the cat sat on the mat") == (0, 6)
    assert scores.word_errors("the cat sat", "the cats sat") == (1, 3)  # one wrong word
    assert scores.word_errors("the cat sat", "the sat") == (1, 3)  # one missing
    assert scores.word_errors("the cat", "oh the fat cat sat") == (3, 2)  # more wrong words than words said


def test_rate_weighs_by_words() -> None:
    assert scores.rate([(1, 2), (0, 8)]) == pytest.approx(0.1)


def test_rate_interval() -> None:
    # 1 of 10 words is wrong in half of 400 sentences: the deviation is 0.05 for a sentence, 0.0025 for the mean.
    low, high = scores.rate_interval([(0, 10), (1, 10)] * 200)
    assert low == pytest.approx(0.05 - 1.96 * 0.0025, abs=0.0006)
    assert high == pytest.approx(0.05 + 1.96 * 0.0025, abs=0.0006)
    assert scores.rate_interval([(1, 4)] * 9) == (0.25, 0.25)
    assert scores.rate_interval([(0, 10), (1, 10)] * 200) == (low, high)  # repeatable


def test_difference_is_of_the_same_sentences() -> None:
    hard_and_easy = [(5, 10), (0, 10)] * 50
    assert scores.difference_interval(hard_and_easy, hard_and_easy) == (0, 0)
    worse = [(wrong + 1, every) for wrong, every in hard_and_easy]
    assert scores.difference_interval(worse, hard_and_easy) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_share_interval(hits: int, count: int, low: float, high: float) -> None:
    assert scores.share_interval(hits, count) == pytest.approx((low, high), abs=1e-4)  # Newcombe, 1998


def test_area() -> None:
    assert scores.area([2, 3], [0, 1]) == 1
    assert scores.area([0, 1], [2, 3]) == 0
    assert scores.area([1, 1], [1, 1]) == 0.5
    assert scores.area([0.8, 0.35], [0.1, 0.4]) == pytest.approx(0.75)


def test_area_interval_narrows_with_more() -> None:
    right, wrong = [5, 3, 6, 2, 7], [1, 4, 2, 3, 0]
    area = scores.area(right, wrong)
    few, many = (scores.area_interval(right * n, wrong * n) for n in (2, 20))
    assert few[0] < many[0] < area < many[1] < few[1] <= 1
    assert scores.area_interval([2, 3], [0, 1]) == (1, 1)


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("I am. I am, I am! I AM", True),
        ("No, no, no.", False),
        ("One two three, one two three.", False),
        ("It is good to see you here. " * 4, False),  # seven words
        ("a " + "b c d e f g " * 4, True),
        ("", False),
    ],
)
def test_loops(text: str, repeats: bool) -> None:
    assert scores.loops(text) == repeats


def test_trip_problem() -> None:
    text, said = "Hello there.", [("Hello", 1), ("there.", 2)]
    assert scores.trip_problem(text, "hello there", said) == ""
    assert scores.trip_problem(text, "hello there", [said[0], ("oh", scores.INSERTION), said[1]]) == ""
    assert "came back as 'hello their'" in scores.trip_problem(text, "hello their", said)
    assert "left out: there." in scores.trip_problem(text, "hello there", [said[0], ("there.", scores.OMISSION)])
    assert "were judged: ['hello']" in scores.trip_problem(text, "hello there", said[:1])
