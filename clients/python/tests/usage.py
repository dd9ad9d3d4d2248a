# pyright: strict
"""A program that uses the package. It is not run: mypy and pyright check, in strict mode, what types it sees."""

from __future__ import annotations

from collections.abc import Iterator

import modelgateway
from modelgateway import audio


def talk(client: modelgateway.Client) -> str:
    """Calls that have one answer, and streams."""
    answer = client.conversation("lesson 7").chat(
        [("user", "Hello"), {"role": "assistant", "content": "Hi"}], sampling={"temperature": 0}, timeout=10
    )
    text: str = answer.message.content
    for edit in client.grammar("I goes to school", explanation_language="vi").edits:
        text += edit.replacement
    with client.stream_chat("Hello", routing={"local_only": True}) as pieces:
        for piece in pieces:
            text += piece
    client.synthesize(text).save("hello.wav")
    wav: modelgateway.Wav = client.synthesize(text).wav()
    score: float = client.pronunciation(wav.to_bytes(), "Hello").overall_score
    return f"{text} {score}"


def listen(client: modelgateway.Client, microphone: Iterator[bytes]) -> str:
    """A session, with the errors that it may have."""
    with client.open_transcription(format=audio.pcm_s16le(16_000), language="en") as session:
        try:
            for samples in microphone:
                session.push(samples)
            session.finish()
            for event in session:
                if event.HasField("interim"):
                    print(event.interim.committed_text + event.interim.tentative_text)
        except modelgateway.QueueFull as busy:
            wait: float | None = busy.retry_after
            print(busy.reason, wait, busy.metadata.get("model"))
    return session.text


async def talk_at_once(client: modelgateway.AsyncClient) -> str:
    """The same with asyncio."""
    answer = await client.chat("Hello")
    async with client.open_transcription(format=audio.pcm_s16le()) as session:
        await session.push(b"")
        await session.finish()
        texts = [event.segment.text async for event in session if event.HasField("segment")]
    return answer.message.content + " ".join(texts)
