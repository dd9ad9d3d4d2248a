"""Calls a running server with LiveKit's plugin for OpenAI; see common.py."""

import asyncio
import wave

from aiohttp import WSServerHandshakeError
from common import base_url, check, example, recording, run_example
from livekit import rtc
from livekit.agents import APIStatusError, llm, stt, utils
from livekit.plugins import openai

server = {"base_url": base_url, "api_key": "any"}


def frame(path):
    with wave.open(path) as sound:
        count = sound.getnframes()
        return rtc.AudioFrame(sound.readframes(count), sound.getframerate(), sound.getnchannels(), count)


async def speech():
    clip = frame(recording)
    for model in ("whisper-1", "gpt-4o-mini-transcribe"):
        stt = openai.STT(model=model, language="en", use_realtime=False, **server)
        event = await stt.recognize(clip)
        check(model, "fox" in event.alternatives[0].text and event.alternatives[0].language == "en", event)
        await stt.aclose()
    # tts-1 answers with audio, gpt-4o-mini-tts with events that carry it.
    for model, format in (("tts-1", "mp3"), ("gpt-4o-mini-tts", "mp3"), ("tts-1", "opus"), ("gpt-4o-mini-tts", "pcm")):
        tts = openai.TTS(model=model, voice="alloy", response_format=format, **server)
        said = await tts.synthesize("Good morning, everyone.").collect()
        check(f"{model} as {format}", 0.5 < said.duration < 5 and said.sample_rate == 24000, said.duration)
        await tts.aclose()
    tts = openai.TTS(model="gpt-9", voice="alloy", **server)
    try:
        check("unknown model", False, await tts.synthesize("Hi.").collect())
    except APIStatusError as error:
        check("unknown model", error.status_code == 404 and error.request_id, error)


async def realtime():
    """Transcribes speech while it is spoken; the server finds its turns."""
    clip = frame(recording)
    pause = rtc.AudioFrame.create(clip.sample_rate, 1, clip.sample_rate)
    async with utils.http_context.open():
        service = openai.STT(model="whisper-1", language="en", use_realtime=True, **server)
        for _ in range(2):  # the second stream gets the connection of the first one
            stream = service.stream()
            for sound in (pause, clip, pause, pause):
                stream.push_frame(sound)
            stream.flush()
            kinds, heard = [], ""
            async for event in stream:
                kinds.append(event.type)
                if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                    heard += event.alternatives[0].text.lower()
                    check("language", event.alternatives[0].language == "en", event)
                if "nobody" in heard:
                    break
            started, stopped = stt.SpeechEventType.START_OF_SPEECH, stt.SpeechEventType.END_OF_SPEECH
            check("realtime", "fox" in heard and kinds.count(started) == kinds.count(stopped) >= 1, (heard, kinds))
            check("interim", stt.SpeechEventType.INTERIM_TRANSCRIPT in kinds, kinds)
            await stream.aclose()
        await service.aclose()
        service = openai.STT(model="gpt-9", use_realtime=True, **server)
        try:
            async for event in service.stream():
                check("realtime, unknown model", False, event)
        except WSServerHandshakeError as error:
            check("realtime, unknown model", error.status == 404, error)
        await service.aclose()


@llm.function_tool
async def get_temperature(city: str) -> str:
    """Returns the temperature in a city."""
    return "37"


async def chat():
    model = openai.LLM(model="chat", temperature=0, **server)
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="Hello, how are you?")
    said = ""
    async for chunk in model.chat(chat_ctx=context):
        said += (chunk.delta.content or "") if chunk.delta else ""
    check("chat", said, said)
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="What is the temperature in Hanoi?")
    calls = []
    async for chunk in model.chat(chat_ctx=context, tools=[get_temperature], tool_choice="required", parallel_tool_calls=False):
        calls += chunk.delta.tool_calls if chunk.delta else []
    check("tools", len(calls) == 1 and calls[0].name == "get_temperature" and "Hanoi" in calls[0].arguments, calls)


check("the example", example, run_example())
asyncio.run(speech())
asyncio.run(realtime())
asyncio.run(chat())
print("ok")
