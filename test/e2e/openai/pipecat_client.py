"""Calls a running server with Pipecat's services for OpenAI; see common.py."""

import asyncio
import wave

from common import base_url, check, recording, run_example
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.stt import OpenAIRealtimeSTTService, OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.tests.utils import run_test
from pipecat.workers.runner import WorkerRunner

server = {"base_url": base_url, "api_key": "any"}


async def speech():
    stt = OpenAISTTService(settings=OpenAISTTService.Settings(model="whisper-1"), **server)
    with wave.open(recording) as sound:
        rate, audio = sound.getframerate(), sound.readframes(sound.getnframes())
    piece = rate // 10 * 2
    pieces = [InputAudioRawFrame(audio[i : i + piece], rate, 1) for i in range(0, len(audio), piece)]
    down, _ = await run_test(
        stt,
        frames_to_send=[VADUserStartedSpeakingFrame(), *pieces, VADUserStoppedSpeakingFrame()],
        expected_down_frames=None,
    )
    heard = [f.text for f in down if isinstance(f, TranscriptionFrame)]
    check("stt", len(heard) == 1 and "fox" in heard[0], down[-3:])
    tts = OpenAITTSService(settings=OpenAITTSService.Settings(model="tts-1", voice="alloy"), sample_rate=24000, **server)
    down, _ = await run_test(tts, frames_to_send=[TTSSpeakFrame("Good morning, everyone.")], expected_down_frames=None)
    said = sum(f.num_frames for f in down if isinstance(f, TTSAudioRawFrame))
    check("tts", 0.5 < said / 24000 < 5, said)


class Listener(FrameProcessor):
    """Keeps the frames that pass."""

    def __init__(self, frames, done):
        super().__init__()
        self.frames, self.done = frames, done

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        if isinstance(frame, ErrorFrame) or "nobody" in said(self.frames):
            self.done.set()
        await self.push_frame(frame, direction)


def said(frames):
    return " ".join(f.text for f in frames if isinstance(f, TranscriptionFrame)).lower()


async def realtime(turn_detection):
    """Transcribes speech while it is spoken; the client finds the turns, or the server."""
    stt = OpenAIRealtimeSTTService(
        api_key="any",
        base_url=base_url.replace("http", "ws", 1) + "/realtime",
        settings=OpenAIRealtimeSTTService.Settings(model="whisper-1"),
        turn_detection=turn_detection,
    )
    with wave.open(recording) as sound:
        rate, audio = sound.getframerate(), sound.readframes(sound.getnframes())
    piece = rate // 50 * 2
    pieces = [InputAudioRawFrame(audio[i : i + piece], rate, 1) for i in range(0, len(audio), piece)]
    pause = [InputAudioRawFrame(bytes(piece), rate, 1)] * 75
    frames, done, started = [], asyncio.Event(), asyncio.Event()
    worker = PipelineWorker(
        Pipeline([Listener(frames, done), stt, Listener(frames, done)]),
        params=PipelineParams(audio_in_sample_rate=rate),
        cancel_on_idle_timeout=False,
    )

    @worker.event_handler("on_pipeline_started")
    async def _(_worker, _frame):
        started.set()

    async def speak():
        await started.wait()
        await worker.queue_frames([VADUserStartedSpeakingFrame(), *pieces, *pause, VADUserStoppedSpeakingFrame()])
        await done.wait()
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner()
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), speak())
    kinds = [type(f) for f in frames]
    errors = [f for f in frames if isinstance(f, ErrorFrame)]
    check(f"realtime with {turn_detection}", "fox" in said(frames) and not errors, (said(frames), errors))
    check("interim", InterimTranscriptionFrame in kinds, set(kinds))
    starts, stops = kinds.count(ProposedUserStartedSpeakingFrame), kinds.count(ProposedUserStoppedSpeakingFrame)
    check("turns", starts == stops >= 1 if turn_detection else starts == 0, (starts, stops))


async def main():
    await speech()
    await realtime(False)
    await realtime({"type": "server_vad", "silence_duration_ms": 400})


run_example()
asyncio.run(main())
print("ok")
