"""Calls a running server as Home Assistant does: through wyoming-openai, which speaks
Wyoming's protocol; see common.py. The example is its command line."""

import asyncio
import shlex
import socket
import sys
import wave
from pathlib import Path

from common import check, example, recording
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeVoice


async def answers(port, events, last):
    """Sends events and returns the answers up to the last one."""
    got = []
    async with AsyncTcpClient("127.0.0.1", port) as client:
        for event in events:
            await client.write_event(event.event())
        while event := await client.read_event():
            got.append(event)
            if last.is_type(event.type) or Error.is_type(event.type):
                return got
    return got


async def use(port):
    described = Info.from_event((await answers(port, [Describe()], Info))[-1])
    check("models", described.asr[0].models[0].name == "whisper-1", described.asr)
    voices = [voice.name for program in described.tts for voice in program.voices]
    check("voices", "alloy" in voices, voices)

    with wave.open(recording) as sound:
        kind = {"rate": sound.getframerate(), "width": sound.getsampwidth(), "channels": sound.getnchannels()}
        audio = sound.readframes(sound.getnframes())
    chunks = [AudioChunk(audio=audio[i : i + 4096], **kind) for i in range(0, len(audio), 4096)]
    got = await answers(port, [Transcribe(name="whisper-1", language="en"), AudioStart(**kind), *chunks, AudioStop()], Transcript)
    check("transcript", Transcript.is_type(got[-1].type) and "fox" in Transcript.from_event(got[-1]).text, got[-1])

    got = await answers(port, [Synthesize(text="Good morning, everyone.", voice=SynthesizeVoice(name="alloy"))], AudioStop)
    check("speech", AudioStop.is_type(got[-1].type), got[-1])
    start = AudioStart.from_event(next(e for e in got if AudioStart.is_type(e.type)))
    said = b"".join(AudioChunk.from_event(e).audio for e in got if AudioChunk.is_type(e.type))
    length = len(said) / (start.rate * start.width * start.channels)
    check("length of the speech", 0.5 < length < 5, (length, start))


async def main():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _, _, command = Path(example).read_text().partition("\nwyoming-openai ")
    arguments = shlex.split(command.replace("\\\n", " ").replace("0.0.0.0:10300", f"127.0.0.1:{port}"))
    check("the example", "--uri" in arguments, arguments)
    program = await asyncio.create_subprocess_exec(sys.executable, "-m", "wyoming_openai", *arguments, stderr=asyncio.subprocess.PIPE)
    log = []
    while line := await program.stderr.readline():
        log.append(line.decode())
        if "Starting server" in log[-1] or "ready" in log[-1].lower():
            break
    try:
        check("wyoming-openai", program.returncode is None and line, log)
        reader = asyncio.create_task(program.stderr.read())
        for _ in range(200):  # the log tells of the start before the socket is open
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
        await use(port)
    finally:
        if program.returncode is None:
            program.terminate()
            await program.wait()
    await reader


asyncio.run(main())
print("ok")
