// Recordings: samples of 16 bits, mono.

import { Wav } from "../../../clients/node/src/web/index.js";

export interface Clip {
  samples: Int16Array;
  rate: number;
}

/** The longest recording that the page takes, in seconds. */
export const longest = 60;

export function secondsOf(clip: Clip): number {
  return clip.rate ? clip.samples.length / clip.rate : 0;
}

/** Returns the samples in little-endian order, as every browser's machine has them. */
export function bytesOf(clip: Clip): Uint8Array<ArrayBuffer> {
  return new Uint8Array(clip.samples.slice().buffer);
}

export function joined(pieces: readonly Int16Array[]): Int16Array<ArrayBuffer> {
  const all = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

export function toInt16(samples: Float32Array): Int16Array {
  return Int16Array.from(samples, (x) => Math.max(-1, Math.min(1, x)) * 32767);
}

/** Decodes a file of any format that the browser plays, to 16 kHz mono. */
export async function decode(file: Blob): Promise<Clip> {
  const rate = 16000;
  const context = new OfflineAudioContext(1, 1, rate);
  const decoded = await context.decodeAudioData(await file.arrayBuffer());
  const mono = new Float32Array(Math.min(decoded.length, longest * rate));
  for (let channel = 0; channel < decoded.numberOfChannels; channel++) {
    const samples = decoded.getChannelData(channel);
    for (let i = 0; i < mono.length; i++) mono[i]! += samples[i]! / decoded.numberOfChannels;
  }
  return { samples: toInt16(mono), rate };
}

/** Returns how loud samples are, 0 to 1 on a scale that follows the ear. */
export function loudness(samples: Int16Array): number {
  let sum = 0;
  for (const x of samples) sum += x * x;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) / 32768 ** 2 + 1e-9);
  return Math.max(0, Math.min(1, (decibels + 55) / 50));
}

/** Returns the largest magnitude in each of n equal parts, 0 to 1. */
export function peaks(samples: Int16Array, n: number): number[] {
  const step = samples.length / n;
  return Array.from({ length: n }, (_, i) => {
    let most = 0;
    for (let at = Math.floor(i * step); at < (i + 1) * step && at < samples.length; at++) most = Math.max(most, Math.abs(samples[at]!));
    return most / 32768;
  });
}

export function toWav(clip: Clip): Wav {
  return new Wav(bytesOf(clip), { sampleRate: clip.rate });
}
