"""Tests what a listener concludes from the events of a stream."""

import numpy as np
import pytest
from eval import people, streams
from google.protobuf import duration_pb2
from modelgateway.v1 import transcription_pb2 as pb


def interim(committed: str, tentative: str) -> pb.TranscriptionEvent:
    return pb.TranscriptionEvent(interim=pb.InterimTranscript(committed_text=committed, tentative_text=tentative))


def segment(text: str) -> pb.TranscriptionEvent:
    return pb.TranscriptionEvent(segment=pb.TranscriptSegment(text=text))


def final(*words: str) -> pb.TranscriptionEvent:
    told = [pb.TranscribedWord(text=word, end=duration_pb2.Duration(seconds=i)) for i, word in enumerate(words, 1)]
    return pb.TranscriptionEvent(final=pb.Transcript(text=" ".join(words), segments=[pb.TranscriptSegment(words=told)]))


@pytest.mark.parametrize(
    ("events", "changed"),
    [
        ([interim("", "one to"), interim("one", " two"), final("One,", "three")], 1),
        ([interim("one", " to"), interim("one two", ""), final("one", "two", "three")], 0),
        ([interim("one two", " three"), interim("one too", ""), final("one", "too")], 1),
        ([interim("one two", ""), segment("one"), interim("two", " three"), segment("two three"), final("one", "two", "three")], 0),
        ([interim("one two", ""), segment("one"), interim("too", ""), final("one", "too")], 1),
        ([interim("one two", ""), segment("won"), final("won", "two")], 2),
        ([interim("one", ""), final("two")], 1),
    ],
)
def test_changes_of_committed_text_are_counted(events: list[pb.TranscriptionEvent], changed: int) -> None:
    listener = streams.Listener()
    for event in events:
        listener.event(event)
    assert listener.heard.changed == changed


def test_a_word_is_told_when_it_does_not_change_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    listener, now = streams.Listener(), iter(range(2, 9))
    monkeypatch.setattr(streams.time, "monotonic", lambda: float(next(now)))
    for event in (interim("", "one to"), interim("one", " too"), interim("one", " two"), final("One", "two.")):
        listener.event(event)
    assert listener.heard.text == "One two."
    assert listener.heard.delays == [2 - 1, 4 - 2]
    assert listener.heard.rest == 5


def test_pieces_are_whole_and_not_early() -> None:
    listener = streams.Listener()
    pcm = bytes(range(256)) * 20
    pieces = list(listener.pieces(pcm, 8000))
    assert b"".join(pieces) == pcm
    assert streams.time.monotonic() - listener.started >= len(pcm) / 2 / 8000


def test_numbers_and_titles_may_be_written_in_either_way() -> None:
    assert people.errors("mister dashwood has ten of clubs", "Mr. Dashwood has 10 of clubs.") == (0, 6)


def test_speech_is_joined_and_repeated() -> None:
    one, two = people.Clip(np.ones(16_000, "<i2"), "one"), people.Clip(np.ones(8_000, "<i2"), "two")
    pair = people.joined([one, two])
    assert pair.text == "one two" and pair.seconds == pytest.approx(1.5 + people.PAUSE)
    long = people.repeated([one, two], 10)
    assert long.seconds > 9 and len(long.text.split()) % 2 == 0
    assert people.noisy(one, 10).text == "one"
