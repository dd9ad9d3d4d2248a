// Transcribes speech over a WebSocket while it is spoken.

import type { ServedBy } from "../../../gen/ts/modelgateway/v1/common_pb.js";
import type { InterimTranscript, Transcript, TranscriptSegment } from "../../../gen/ts/modelgateway/v1/transcription_pb.js";
import { pcm } from "../../../clients/node/src/web/index.js";
import { client } from "../api.js";
import { record } from "../calls.js";
import { bytesOf } from "./clip.js";

export interface Heard {
  /** Segments that are final. */
  segments: TranscriptSegment[];
  /** Text after them that may change. */
  interim?: InterimTranscript;
}

export interface Live {
  send(samples: Int16Array): void;
  /** Says that the speech has ended. */
  end(): void;
  /** Is settled when the transcription has ended. */
  transcript: Promise<{ transcript?: Transcript; servedBy?: ServedBy }>;
}

/** Opens a transcription. signal abandons it. */
export function transcribe(rate: number, spoken: string, onHeard: (heard: Heard) => void, signal: AbortSignal): Live {
  const { readable, writable } = new TransformStream<Uint8Array>(undefined, undefined, { highWaterMark: Infinity });
  const input = writable.getWriter();
  const ignore = () => {}; // the transcription reports what went wrong
  const transcript = record("transcribe", { language: spoken, word_timestamps: true, interim_results: true }, true, async (progress) => {
    const options = { over: "websocket", format: pcm(rate), language: spoken, wordTimestamps: true, signal } as const;
    const events = client.streamTranscribe(readable, options);
    const heard: Heard = { segments: [] };
    for await (const { event } of events) {
      progress.output();
      heard.interim = event.case === "interim" ? event.value : undefined;
      if (event.case === "segment") heard.segments.push(event.value);
      onHeard({ ...heard });
    }
    progress.served(events.servedBy);
    return { transcript: events.transcript, servedBy: events.servedBy };
  });
  transcript.catch(ignore); // whoever waits for it reports the error
  return { transcript, send: (samples) => void input.write(bytesOf({ samples, rate })).catch(ignore), end: () => void input.close().catch(ignore) };
}
