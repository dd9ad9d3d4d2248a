// What plays: one thing at a time.

import { type Playback, type Samples, Wav, play as playSpeech } from "../../../clients/node/src/web/index.js";
import { type Clip, bytesOf, toWav } from "./clip.js";
import { Store } from "../store.js";

/** Identifies what is playing. */
export const playing = new Store<object | undefined>(undefined);

let current: Playback | undefined;

/** Plays speech and stops what played before. what is the value of `playing` while this plays. */
function start(what: object, speech: Samples | Wav): Playback {
  stopPlaying();
  const playback = playSpeech(speech);
  current = playback;
  playing.set(what);
  const end = () => current === playback && stopPlaying();
  playback.done.then(end, end);
  return playback;
}

/** Plays a whole recording. */
export function play(clip: Clip): void {
  start(clip, toWav(clip));
}

/** Speech that is played while it is made. Make it in the handler of a click or key, because browsers play nothing before. */
export class Live implements Samples {
  sampleRate = 0;
  readonly #pieces: Clip[] = [];
  #complete = false;
  #wake = () => {};
  readonly #playback = start(this, this);

  /** Plays a piece after those before it. */
  push(piece: Clip): void {
    this.sampleRate = piece.rate;
    this.#pieces.push(piece);
    this.#wake();
  }

  /** Says that no piece follows. */
  complete(): void {
    this.#complete = true;
    this.#wake();
  }

  stop(): void {
    this.#playback.stop();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece) yield bytesOf(piece);
      else if (this.#complete) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

export function stopPlaying(): void {
  current?.stop();
  current = undefined;
  playing.set(undefined);
}

/** Seconds of the current sound that were heard. */
export function position(): number {
  return current?.seconds ?? 0;
}
