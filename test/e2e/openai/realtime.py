"""Transcribes a person's speech while it is spoken, with OpenAI's own client, as its users do.

    realtime.py BASE_URL RECORDING

The recording is a WAV of 16 kHz. It prints "ok", or fails with what differs from what the client documents.
"""

import base64
import sys
import wave
from collections import defaultdict

import numpy as np
from openai import OpenAI

base_url, recording = sys.argv[1:]
client = OpenAI(base_url=base_url, api_key="any")


def check(what, ok, got):
    if not ok:
        sys.exit(f"{what}: {got!r}")


with wave.open(recording) as sound:
    samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
# The API has 24 kHz.
times = np.arange(0, len(samples) / 16000, 1 / 24000)
speech = np.interp(times, np.arange(len(samples)) / 16000, samples).astype(np.int16).tobytes()
silence = bytes(2 * 24000)


def transcribe(turn_detection, audio, end):
    """Returns the transcript of each turn in order, and how many times speech began."""
    with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        created = connection.recv()
        check("begin", created.type == "session.created" and created.session.type == "transcription", created)
        connection.session.update(
            session={
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "whisper-1", "language": "en"},
                        "turn_detection": turn_detection,
                    }
                },
            }
        )
        updated = connection.recv()
        check("update", updated.type == "session.updated" and updated.session.audio.input.transcription.model == "whisper-1", updated)
        for at in range(0, len(audio), 4800):  # 100 ms
            connection.input_audio_buffer.append(audio=base64.b64encode(audio[at : at + 4800]).decode())
        end(connection)
        # The answer to what follows the audio comes when all turns are known.
        connection.input_audio_buffer.clear()
        items, deltas, done, begun, all_known = [], defaultdict(str), {}, 0, False
        while not (all_known and len(done) == len(items)):
            event = connection.recv()
            match event.type:
                case "input_audio_buffer.speech_started":
                    begun += 1
                case "input_audio_buffer.committed":
                    check("order of the items", event.previous_item_id == (items[-1] if items else None), event)
                    items.append(event.item_id)
                case "conversation.item.input_audio_transcription.delta":
                    deltas[event.item_id] += event.delta
                case "conversation.item.input_audio_transcription.completed":
                    check("deltas", deltas[event.item_id] == event.transcript, (deltas[event.item_id], event.transcript))
                    done[event.item_id] = event.transcript
                case "input_audio_buffer.cleared":
                    all_known = True
                case "conversation.item.added" | "conversation.item.done" | "input_audio_buffer.speech_stopped":
                    pass
                case _:
                    sys.exit(f"an event that was not expected: {event!r}")
        return [done[item] for item in items], begun


def letters(text):
    return "".join(c for c in text.lower() if c.isalpha())


turns, begun = transcribe(None, speech, lambda connection: connection.input_audio_buffer.commit())
check("one turn", len(turns) == 1 and begun == 0 and "askwhatyoucandoforyourcountry" in letters(turns[0]), turns)

turns, begun = transcribe({"type": "server_vad", "silence_duration_ms": 400}, silence + speech + silence, lambda connection: None)
check("turns", len(turns) == begun >= 2, turns)
check("what was said", all(part in letters("".join(turns)) for part in ("fellowamericans", "countrycandoforyou", "candoforyourcountry")), turns)
print("ok")
