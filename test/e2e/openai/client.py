"""Calls a running server with OpenAI's own client, as its users do.

    client.py BASE_URL RECORDING

It prints "ok", or fails with what differs from what the client documents.
"""

import io
import sys
import wave

import openai
from openai import OpenAI

base_url, recording = sys.argv[1:]
client = OpenAI(base_url=base_url, api_key="any")
hello = [{"role": "user", "content": "Hello, how are you?"}]


def check(what, ok, got):
    if not ok:
        sys.exit(f"{what}: {got!r}")


names = [m.id for m in client.models.list()]
check("models", "qwen" in names and client.models.retrieve("qwen").object == "model", names)

# Chat, whole and as a stream.
whole = client.chat.completions.create(model="chat", messages=hello, temperature=0, max_tokens=20)
text = whole.choices[0].message.content
check("chat", text and whole.choices[0].finish_reason in ("stop", "length") and whole.usage.total_tokens > whole.usage.completion_tokens > 0, whole)
said, usage, finished = "", None, None
for chunk in client.chat.completions.create(
    model="chat", messages=hello, temperature=0, max_tokens=20, stream=True, stream_options={"include_usage": True}
):
    usage = chunk.usage or usage
    for choice in chunk.choices:
        said += choice.delta.content or ""
        finished = choice.finish_reason or finished
check("stream", said == text and finished == whole.choices[0].finish_reason, said)
check("usage of the stream", usage and usage.completion_tokens == whole.usage.completion_tokens, usage)

# Errors have the client's own types.
for what, kind, call in [
    ("unknown model", openai.NotFoundError, lambda: client.chat.completions.create(model="gpt-9", messages=hello)),
    ("bad value", openai.BadRequestError, lambda: client.chat.completions.create(model="chat", messages=hello, temperature=9)),
]:
    try:
        check(what, False, call())
    except kind as error:
        check(what, error.code in ("model_not_found", "invalid_request") and error.param and error.request_id, error.body)

# Transcripts in every format.
def transcribe(**options):
    with open(recording, "rb") as file:
        return client.audio.transcriptions.create(model="whisper-1", file=file, language="en", **options)


heard = transcribe().text
check("transcript", heard.strip(), heard)
check("text", transcribe(response_format="text").strip() == heard.strip(), heard)
check("srt", "-->" in transcribe(response_format="srt"), heard)
check("vtt", transcribe(response_format="vtt").startswith("WEBVTT"), heard)
verbose = transcribe(response_format="verbose_json", timestamp_granularities=["word", "segment"])
check("verbose_json", verbose.text == heard and verbose.duration > 1 and verbose.segments and verbose.words[-1].end <= verbose.duration, verbose)
events = list(transcribe(stream=True))
deltas = "".join(e.delta for e in events if e.type == "transcript.text.delta")
check("transcript as a stream", events[-1].type == "transcript.text.done" and deltas == events[-1].text, events)

# Speech. MP3 is the default.
speech = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello there.", response_format="wav").content
with wave.open(io.BytesIO(speech)) as sound:
    length = sound.getnframes() / sound.getframerate()
pcm = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello there.", response_format="pcm").content
check("pcm has 24 kHz", abs(len(pcm) / 2 / 24000 - length) < 0.5 + length / 4, (len(pcm), length))
for format, magic in [("mp3", b"\xff"), ("opus", b"OggS"), ("flac", b"fLaC")]:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Hello there.", response_format=format
    ) as answer:
        data = answer.read()
    check(format, data.startswith(magic) and len(data) > 1000, data[:20])
    with io.BytesIO(data) as file:
        file.name = "speech." + format
        check(format + " is understood", client.audio.transcriptions.create(model="whisper-1", file=file, language="en").text, format)
print("ok")
