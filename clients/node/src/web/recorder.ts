/** Recordings of whole sentences. */

import { joined, Wav } from "../audio.js";
import { microphone, type Microphone, type MicrophoneOptions } from "./microphone.js";

/** Formats that browsers record and servers read, best first. The last one is of older Safari: AAC. */
const formats = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

/** Options of a recorder. */
export interface RecorderOptions extends MicrophoneOptions {
  /** "compressed", the default, is small: Opus, or AAC in older Safari. "pcm" loses nothing. */
  encoding?: "compressed" | "pcm" | undefined;
}

/** A finished recording. */
export interface Recording {
  /** A file: WebM or Ogg with Opus, MP4 with AAC, or WAV. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mimeType: string;
  /** The file for an audio element, a form, or a call: `client.transcribe(recording.blob)`. */
  readonly blob: Blob;
}

/** Records with the microphone: `Recorder.start`, and `stop` for the recording. */
export class Recorder {
  private constructor(
    private readonly finish: () => Promise<Recording>,
    private readonly discard: () => void,
  ) {}

  /** Starts to record, after the user has allowed it. Fails as `getUserMedia` does. */
  static async start(options: RecorderOptions = {}): Promise<Recorder> {
    const mimeType = formats.find((format) => globalThis.MediaRecorder?.isTypeSupported(format));
    if (options.encoding === "pcm" || !mimeType) return samples(await microphone(options));
    const stream =
      options.stream ??
      (await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, ...options.constraints },
      }));
    return Recorder.#compressed(stream, mimeType, options);

    function samples(source: Microphone): Recorder {
      const pieces: Uint8Array[] = [];
      const ended = (async () => {
        for await (const piece of source) pieces.push(piece);
      })();
      ended.catch(() => {});
      return new Recorder(async () => {
        source.stop();
        await ended;
        return recording(new Wav(joined(pieces), { sampleRate: source.format.sampleRateHertz! }).toBlob());
      }, () => void source.return());
    }
  }

  static #compressed(stream: MediaStream, mimeType: string, options: RecorderOptions): Recorder {
    const recorder = new MediaRecorder(stream, { mimeType });
    const pieces: Blob[] = [];
    let failure: unknown;
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    recorder.onerror = (event) => (failure = (event as Event & { error?: unknown }).error ?? new Error("the recording failed"));
    const stop = () => {
      if (recorder.state !== "inactive") recorder.stop();
    };
    const stopped = new Promise<void>((resolve) => {
      recorder.onstop = () => {
        options.signal?.removeEventListener("abort", stop);
        if (!options.stream) for (const track of stream.getTracks()) track.stop();
        resolve();
      };
    });
    options.signal?.addEventListener("abort", stop);
    recorder.start(1000);
    if (options.signal?.aborted) stop();
    return new Recorder(async () => {
      stop();
      await stopped;
      if (failure) throw failure;
      return await recording(new Blob(pieces, { type: mimeType }));
    }, stop);
  }

  /** Ends the recording and returns it. */
  stop(): Promise<Recording> {
    return this.finish();
  }

  /** Ends the recording without a result. */
  cancel(): void {
    this.discard();
  }
}

async function recording(blob: Blob): Promise<Recording> {
  return { blob, mimeType: blob.type, bytes: new Uint8Array(await blob.arrayBuffer()) };
}
