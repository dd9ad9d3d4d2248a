/** A microphone as a source of audio. */

import { pcm } from "../audio.js";
import { cancelled } from "../calls.js";
import type { AudioFormatInit } from "../requests.js";
import { running } from "./context.js";
import { worklet } from "./worklet.js";

const flushWithinMs = 1000;

/** Options of `microphone`. */
export interface MicrophoneOptions {
  /** Ends the recording; `for await` then ends without an error. */
  signal?: AbortSignal | undefined;
  /** Sample rate in hertz. Default 16,000. A browser that cannot record at this rate uses its own. */
  sampleRate?: number | undefined;
  /** Length of a piece. Default 100. */
  frameMs?: number | undefined;
  /** Audio that nobody reads is kept for this long; then the recording fails. Default 60,000. */
  maxBehindMs?: number | undefined;
  /** A stream to use instead of the default microphone, which it does not stop. */
  stream?: MediaStream | undefined;
  /** Which microphone, and whether echo and noise are suppressed. */
  constraints?: MediaTrackConstraints | undefined;
  /** URL of this package's `worklet.js`, for pages whose Content-Security-Policy has no `blob:` scripts. */
  workletUrl?: string | URL | undefined;
}

/**
 * Yields what a microphone records, as samples of 16 bits, until `stop`, or until its loop is left. It can be given to
 * `streamTranscribe`.
 */
export class Microphone implements AsyncIterableIterator<Uint8Array<ArrayBuffer>, undefined> {
  /** The format of the samples. */
  readonly format: AudioFormatInit;
  /** How loud the last piece was: root mean square, 0 to 1. */
  level = 0;
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  readonly #most: number;
  readonly #release: () => void;
  readonly #flush: () => void;
  #behind = 0;
  #end: { error?: Error } | undefined;
  #wake = () => {};

  /** Use `microphone`. */
  constructor(node: AudioWorkletNode, options: MicrophoneOptions, release: () => void) {
    const { sampleRate } = node.context;
    this.format = pcm(sampleRate);
    this.#most = ((options.maxBehindMs ?? 60_000) / 1000) * sampleRate * 2;
    this.#release = release;
    node.port.onmessage = ({ data }: MessageEvent<{ samples?: Int16Array<ArrayBuffer>; level?: number }>) => {
      if (!data.samples) return this.#finish({});
      this.level = data.level ?? 0;
      this.#add(new Uint8Array(data.samples.buffer));
    };
    this.#flush = () => node.port.postMessage("stop");
  }

  #add(piece: Uint8Array<ArrayBuffer>): void {
    this.#behind += piece.length;
    if (this.#behind > this.#most) {
      return this.#finish({ error: new Error("the recording was ended, because nothing read the audio fast enough") });
    }
    this.#queue.push(piece);
    this.#wake();
  }

  #finish(end: { error?: Error }): void {
    if (this.#end) return;
    this.#end = end;
    this.#release();
    this.#wake();
  }

  /** Ends the recording. What was recorded can still be read. */
  stop(): void {
    this.#flush();
    setTimeout(() => this.#finish({}), flushWithinMs); // the browser may have suspended the audio thread
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array<ArrayBuffer>, undefined>> {
    for (;;) {
      const value = this.#queue.shift();
      if (value) {
        this.#behind -= value.length;
        return { done: false, value };
      }
      if (this.#end?.error) throw this.#end.error;
      if (this.#end) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async return(): Promise<IteratorResult<Uint8Array<ArrayBuffer>, undefined>> {
    this.#finish({});
    this.#queue.length = 0;
    return { done: true, value: undefined };
  }
}

/**
 * Records with the microphone, after the user has allowed it. Fails as `getUserMedia` does, for example with
 * NotAllowedError.
 */
export async function microphone(options: MicrophoneOptions = {}): Promise<Microphone> {
  const { signal, sampleRate = 16_000, frameMs = 100 } = options;
  if (signal?.aborted) throw cancelled(signal);
  const stream =
    options.stream ??
    (await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, ...options.constraints },
    }));
  const stopTracks = () => {
    if (!options.stream) for (const track of stream.getTracks()) track.stop();
  };
  let context: AudioContext | undefined;
  try {
    const { node, source } = await connected(stream, sampleRate, frameMs, options.workletUrl);
    context = node.context as AudioContext;
    const opened = context;
    const stop = () => recording.stop();
    const recording = new Microphone(node, options, () => {
      signal?.removeEventListener("abort", stop);
      source.disconnect();
      stopTracks();
      if (opened.state !== "closed") void opened.close();
    });
    signal?.addEventListener("abort", stop);
    // A microphone that is unplugged, or whose permission is withdrawn.
    for (const track of stream.getAudioTracks()) track.addEventListener("ended", stop);
    await running(opened, signal);
    return recording;
  } catch (error) {
    stopTracks();
    if (context?.state !== "closed") await context?.close();
    throw error;
  }
}

async function connected(stream: MediaStream, sampleRate: number, frameMs: number, workletUrl?: string | URL) {
  const at = async (context: AudioContext) => {
    try {
      const source = context.createMediaStreamSource(stream);
      await addWorklet(context, workletUrl);
      const frame = Math.round((context.sampleRate * frameMs) / 1000);
      const node = new AudioWorkletNode(context, "modelgateway-recorder", {
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { frame },
      });
      source.connect(node);
      return { node, source };
    } catch (error) {
      await context.close();
      throw error;
    }
  };
  try {
    return await at(new AudioContext({ sampleRate }));
  } catch (error) {
    // Firefox does not connect a microphone to a context of another sample rate; the server converts any rate.
    if ((error as Error).name !== "NotSupportedError") throw error;
    return await at(new AudioContext());
  }
}

async function addWorklet(context: AudioContext, url?: string | URL): Promise<void> {
  if (url !== undefined) return await context.audioWorklet.addModule(String(url));
  const blob = URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(blob);
  } finally {
    URL.revokeObjectURL(blob);
  }
}
