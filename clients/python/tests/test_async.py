"""Tests the asyncio client with a real server."""

from __future__ import annotations

import asyncio
import pathlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from conftest import Server

import modelgateway
from modelgateway import audio

GREEDY = {"temperature": 0, "presence_penalty": 0, "max_tokens": 16}
PCM = audio.pcm_s16le(16_000)
Body = Callable[[modelgateway.AsyncClient], Awaitable[None]]


def connected(server: Server, body: Body) -> None:
    async def main() -> None:
        async with modelgateway.AsyncClient(server.grpc) as client:
            await asyncio.wait_for(body(client), 120)

    asyncio.run(main())


async def idle(client: modelgateway.AsyncClient, name: str) -> None:
    while (await client.get_model(name)).active_count:
        await asyncio.sleep(0.01)  # there is no event for this


def test_language(server: Server) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        whole, grammar, answer, explained = await asyncio.gather(
            client.chat("Hello", sampling=GREEDY),
            client.grammar("I goes to school yesterday"),
            client.respond("I like tea."),
            client.explain_vietnamese("cat"),
        )
        stream = client.stream_chat("Hello", sampling=GREEDY)
        assert await stream.read() == whole.message.content
        assert stream.served_by is not None and stream.served_by.model == "qwen"
        assert grammar.edits and answer.text and explained.explanation

    connected(server, body)


async def microphone() -> AsyncIterator[bytes]:
    for _ in range(5):
        await asyncio.sleep(0.01)
        yield bytes(640)


def blocking_microphone() -> Iterator[bytes]:
    for _ in range(5):
        time.sleep(0.01)  # like the read of a driver
        assert threading.current_thread() is not threading.main_thread(), "it must not block the event loop"
        yield bytes(640)


@pytest.mark.parametrize("source", [microphone, blocking_microphone])
def test_stream_transcribe(server: Server, source: Callable[[], AsyncIterator[bytes]]) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        async with client.stream_transcribe(source(), format=PCM) as stream:
            kinds = [event.WhichOneof("event") async for event in stream]
        assert kinds[-1] == "final" and stream.text == "3200 bytes"
        assert (await client.transcribe(source(), format=PCM)).transcript.text == "3200 bytes"

    connected(server, body)


def test_an_exception_of_the_audio_source_is_raised(server: Server) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(640)
        raise OSError("the microphone was unplugged")

    async def body(client: modelgateway.AsyncClient) -> None:
        with pytest.raises(OSError, match="unplugged"):
            await client.transcribe(broken(), format=PCM)
        with pytest.raises(OSError, match="unplugged"):
            async for _ in client.stream_transcribe(broken(), format=PCM):
                pass

    connected(server, body)


def test_open_transcription(server: Server) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        async with client.open_transcription(format=PCM) as session:
            await session.push(bytes(2_500_000))
            await session.finish()
            events = [event async for event in session]
        assert events[-1].final.text == session.text == "2500000 bytes"

    connected(server, body)


def test_speech(server: Server, tmp_path: pathlib.Path) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        wav = await client.synthesize("Hello there").wav()
        await client.synthesize("Hello there").save(tmp_path / "hello.wav")
        assert audio.read_wav(tmp_path / "hello.wav") == wav and wav.seconds > 0
        scored = await client.pronunciation(tmp_path / "hello.wav", "Hello there")
        assert len(scored.words) == 2
        clip = await client.recognize(tmp_path / "hello.wav")
        assert clip.transcript.text == f"{len(wav.to_bytes())} bytes"

    connected(server, body)


def test_models(server: Server) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        progress: list[float] = []
        model = await client.load_model("hubert", progress=lambda p: progress.append(p.progress))
        assert model.name == "hubert" and progress[-1] == 1
        async for event in client.watch_models("hubert"):
            assert event.name == "hubert"
            break
        assert (await client.plan_load("hubert")).explanation
        assert (await client.unload_model("hubert")).freed_bytes > 0
        assert {m.name for m in await client.list_models()} >= {"qwen", "hubert"}
        assert (await client.invoke("tutor", "echo", {"a": [1]})).data == {"a": [1]}
        assert (await client.status()).version
        assert (await client.list_voices())[0].model

    connected(server, body)


def test_cancelling_a_task_stops_the_work(server: Server) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        async def streaming() -> None:
            async for _ in client.stream_chat('fault: {"fault": "stall", "fault_after_tokens": 1}', model="tutor"):
                pass

        for work in (client.chat('fault: {"fault": "stall"}', model="tutor"), streaming()):
            task = asyncio.ensure_future(work)
            while not (await client.get_model("tutor")).active_count:
                assert not task.done()
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await idle(client, "tutor")

    connected(server, body)


def test_closing_a_stream_stops_the_work(server: Server) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        endless = 'fault: {"token_count": 1000000000, "token_interval_us": 1000}'
        async with client.stream_chat(endless, model="tutor") as stream:
            await stream.__anext__()
        await idle(client, "tutor")

    connected(server, body)


def test_failures(server: Server) -> None:
    async def body(client: modelgateway.AsyncClient) -> None:
        with pytest.raises(modelgateway.ModelNotFound) as raised:
            await client.chat("x", model="nobody")
        assert raised.value.metadata == {"model": "nobody"}
        with pytest.raises(modelgateway.ModelFileMissing):
            await client.stream_chat("x", model="lost").read()
        with pytest.raises(modelgateway.DeadlineExceeded):
            await client.chat('fault: {"fault": "stall"}', model="tutor", timeout=0.5)
        before = (await client.get_model("counted")).request_count
        busy = 'fault: {"fault": "error", "error_reason": "MEMORY_BUSY", "error_retry_ms": 20}'
        with pytest.raises(modelgateway.MemoryBusy):
            await client.stream_chat(busy, model="counted").read()
        assert (await client.get_model("counted")).request_count - before == 3

    connected(server, body)
