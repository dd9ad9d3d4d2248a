// The microphone.

import { microphone } from "../../../clients/node/src/web/index.js";
import { type Clip, joined, longest } from "./clip.js";

export interface Recording {
  rate: number;
  /** Stops the microphone and returns what it heard. */
  stop(): Promise<Clip>;
}

/** Reports whether this page may use a microphone: browsers allow it on localhost and with TLS. */
export function hasMicrophone(): boolean {
  return Boolean(navigator.mediaDevices?.getUserMedia) && "AudioWorkletNode" in window;
}

/**
 * Starts the microphone. onSamples gets a tenth of a second at a time; onFull is called when the
 * recording is as long as it may be.
 */
export async function listen(onSamples: (samples: Int16Array) => void, onFull: () => void): Promise<Recording> {
  const source = await microphone({ workletUrl: "recorder.js" }); // the page's policy allows no other script
  const rate = source.format.sampleRateHertz!;
  const pieces: Int16Array[] = [];
  const heard = (async () => {
    let length = 0;
    for await (const piece of source) {
      const samples = new Int16Array(piece.buffer);
      pieces.push(samples);
      onSamples(samples);
      length += samples.length;
      if (length >= longest * rate) onFull();
    }
  })();
  return {
    rate,
    stop: async () => {
      source.stop();
      await heard;
      return { samples: joined(pieces), rate };
    },
  };
}
