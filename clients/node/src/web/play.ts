/** Plays speech while it arrives. */

import { joined, Wav } from "../audio.js";
import { cancelled, pause } from "../calls.js";
import { running } from "./context.js";

/** Speech is read at most this far ahead of what is heard. */
const aheadSeconds = 10;
/** Time between the arrival of the first samples and their sound. */
const startSeconds = 0.05;

/** Samples of 16 bits, mono, that arrive piece by piece: the result of `synthesize`. */
export interface Samples extends AsyncIterable<Uint8Array> {
  /** Sample rate in hertz; known with the first piece. */
  readonly sampleRate: number;
  /** Whether the pieces are samples, and no encoding. */
  readonly isPcm?: boolean;
}

/** Options of `play`. */
export interface PlayOptions {
  /** Stops the sound; `done` then throws Cancelled. */
  signal?: AbortSignal | undefined;
  /** A context to play in, which stays open. Default: a new one. */
  context?: AudioContext | undefined;
  /** Where the sound goes; default: the destination of the context. */
  destination?: AudioNode | undefined;
}

/** Speech that is being played. */
export interface Playback {
  /** Ends when all of it was heard, or it was stopped; throws what reading the speech throws. */
  readonly done: Promise<void>;
  /** Seconds of speech that were heard. */
  readonly seconds: number;
  /** Ends the sound, and the work of the server. */
  stop(): void;
}

/**
 * Plays speech while it arrives, without gaps between its pieces: the result of `synthesize`, or a Wav. Call it in the
 * handler of a click or key, because browsers play nothing before.
 */
export function play(speech: Samples | Wav, options: PlayOptions = {}): Playback {
  return new Player(speech, options);
}

class Player implements Playback {
  readonly done: Promise<void>;
  readonly #context: AudioContext;
  readonly #stopped = new AbortController();
  readonly #sounding = new Set<AudioBufferSourceNode>();
  #began: number | undefined;
  #ends = 0;
  #total = 0;

  constructor(
    speech: Samples | Wav,
    private readonly options: PlayOptions,
  ) {
    this.#context = options.context ?? new AudioContext();
    const { signal } = options;
    const stop = () => this.stop();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) this.stop();
    this.done = this.#run(speech).finally(async () => {
      signal?.removeEventListener("abort", stop);
      if (!options.context) await this.#context.close();
    });
    this.done.catch(() => {}); // it is no unhandled rejection if nobody waits for the end
  }

  get seconds(): number {
    if (this.#began === undefined) return 0;
    return Math.max(0, this.#total - Math.max(0, this.#ends - this.#context.currentTime));
  }

  stop(): void {
    this.#stopped.abort();
    for (const node of this.#sounding) node.stop();
  }

  async #run(speech: Samples | Wav): Promise<void> {
    try {
      await running(this.#context, this.#stopped.signal);
      if (speech instanceof Wav) {
        if (speech.sampleWidth !== 2) throw new TypeError("only samples of 16 bits can be played");
        await this.#add(speech.pcm, speech.sampleRate, speech.channels);
      } else {
        if (speech.isPcm === false) throw new TypeError("only samples can be played: leave `output` out");
        await this.#stream(speech);
      }
      await this.#heard(0);
    } catch (error) {
      if (!this.#stopped.signal.aborted) throw error;
    }
    if (this.options.signal?.aborted) throw cancelled(this.options.signal);
  }

  async #stream(speech: Samples): Promise<void> {
    const pieces = speech[Symbol.asyncIterator]();
    this.#stopped.signal.addEventListener("abort", () => void pieces.return?.().catch(() => {}));
    let odd: Uint8Array = new Uint8Array(); // half a sample
    for await (const piece of { [Symbol.asyncIterator]: () => pieces }) {
      const bytes = joined([odd, piece]);
      odd = bytes.slice(bytes.length & ~1);
      await this.#add(bytes.subarray(0, bytes.length & ~1), speech.sampleRate, 1);
      if (this.#stopped.signal.aborted) break;
    }
  }

  /** Lets samples sound after those before them, and waits while there are many that were not heard. */
  async #add(pcm: Uint8Array, sampleRate: number, channels: number): Promise<void> {
    const length = Math.floor(pcm.length / (2 * channels));
    if (length === 0 || this.#stopped.signal.aborted) return;
    const buffer = this.#context.createBuffer(channels, length, sampleRate);
    const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    for (let channel = 0; channel < channels; channel++) {
      const samples = buffer.getChannelData(channel);
      for (let at = 0; at < length; at++) samples[at] = view.getInt16(2 * (at * channels + channel), true) / 32768;
    }
    const node = this.#context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.options.destination ?? this.#context.destination);
    node.onended = () => this.#sounding.delete(node);
    const now = this.#context.currentTime;
    if (this.#ends < now) this.#ends = now + startSeconds;
    this.#began ??= this.#ends;
    node.start(this.#ends);
    this.#sounding.add(node);
    this.#ends += buffer.duration;
    this.#total += buffer.duration;
    await this.#heard(aheadSeconds);
  }

  /** Waits until at most so many seconds are left to be heard. */
  async #heard(left: number): Promise<void> {
    for (;;) {
      const wait = this.#ends - left - this.#context.currentTime;
      if (this.#began === undefined || wait <= 0) return;
      await pause(Math.min(1000, Math.max(10, wait * 1000)), this.#stopped.signal);
    }
  }
}
