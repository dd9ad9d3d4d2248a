/** Audio sources, formats, and WAV files. */

import { AudioEncoding } from "./gen/modelgateway/v1/transcription_pb.js";
import type { AudioFormatInit } from "./requests.js";

/** Largest piece of streamed audio in bytes. */
export const maxPieceBytes = 1 << 20;

/** Audio: bytes, a Wav, a Blob, or what yields bytes while they are recorded or read. */
export type AudioSource =
  | Uint8Array
  | ArrayBuffer
  | Wav
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Iterable<Uint8Array>;

/** Returns the format of raw signed 16-bit little-endian samples. */
export function pcm(sampleRate = 16_000, channels = 1): AudioFormatInit {
  return { encoding: AudioEncoding.PCM_S16LE, sampleRateHertz: sampleRate, channelCount: channels };
}

/** Returns the format of raw 32-bit little-endian floats. */
export function pcmF32(sampleRate = 16_000, channels = 1): AudioFormatInit {
  return { encoding: AudioEncoding.PCM_F32LE, sampleRateHertz: sampleRate, channelCount: channels };
}

/** Reports whether a source can be read again from its beginning. */
export function replayable(source: unknown): boolean {
  return (
    source instanceof Uint8Array || source instanceof ArrayBuffer || source instanceof Wav ||
    (typeof Blob !== "undefined" && source instanceof Blob)
  );
}

/** Returns the format that a source knows, such as that of a microphone. */
export function formatOf(source: unknown): AudioFormatInit | undefined {
  return (source as { format?: AudioFormatInit }).format;
}

/** Yields the bytes of a source in pieces that the server accepts: not empty, at most 1 MiB. */
export async function* pieces(source: AudioSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (source instanceof Uint8Array) yield* split(source);
  else if (source instanceof ArrayBuffer) yield* split(new Uint8Array(source));
  else if (source instanceof Wav) yield* split(source.toBytes());
  else if (source instanceof Blob) yield* pieces(source.stream());
  else if (isIterable(source)) for await (const piece of source) yield* split(piece);
  else yield* readAll(source);
}

function isIterable(source: object): source is AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return Symbol.asyncIterator in source || Symbol.iterator in source;
}

/** Reads a stream; Safari's cannot be iterated over. */
async function* readAll(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield* split(next.value);
  } finally {
    await reader.cancel();
  }
}

/** Ends a source that nothing will read, such as a microphone. */
export function release(source: AudioSource): void {
  const { return: end, cancel } = source as { return?: () => unknown; cancel?: () => unknown };
  void (async () => (end ?? cancel)?.call(source))().catch(() => {}); // it may be at its end, or have another reader
}

/** Returns all bytes of a source. */
export async function whole(source: AudioSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  const all: Uint8Array[] = [];
  for await (const piece of pieces(source)) all.push(piece);
  return joined(all);
}

/** Returns the bytes of all pieces. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Yields bytes in pieces that the server accepts. */
export function* split(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += maxPieceBytes) yield bytes.subarray(at, at + maxPieceBytes);
}

/** What a Wav has besides its samples. */
export interface WavFields {
  sampleRate: number;
  /** Default 1. */
  channels?: number | undefined;
  /** Bytes of a sample; default 2. */
  sampleWidth?: number | undefined;
}

/** The samples of a WAV file. */
export class Wav {
  /** Sample rate in hertz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Bytes of a sample. */
  readonly sampleWidth: number;

  constructor(
    /** Integer samples in the format of the file, channels interleaved. */
    readonly pcm: Uint8Array,
    { sampleRate, channels = 1, sampleWidth = 2 }: WavFields,
  ) {
    this.sampleRate = sampleRate;
    this.channels = channels;
    this.sampleWidth = sampleWidth;
  }

  /** The duration in seconds. */
  get seconds(): number {
    return this.pcm.length / (this.sampleRate * this.channels * this.sampleWidth);
  }

  /** Returns the WAV file as bytes. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const frame = this.channels * this.sampleWidth;
    const file = new Uint8Array(44 + this.pcm.length);
    const view = new DataView(file.buffer);
    file.set(ascii("RIFF????WAVEfmt "), 0);
    view.setUint32(4, 36 + this.pcm.length, true);
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true);
    view.setUint16(22, this.channels, true);
    view.setUint32(24, this.sampleRate, true);
    view.setUint32(28, this.sampleRate * frame, true);
    view.setUint16(32, frame, true);
    view.setUint16(34, 8 * this.sampleWidth, true);
    file.set(ascii("data"), 36);
    view.setUint32(40, this.pcm.length, true);
    file.set(this.pcm, 44);
    return file;
  }

  /** Returns the WAV file as a Blob, for an audio element or a form. */
  toBlob(): Blob {
    return new Blob([this.toBytes()], { type: "audio/wav" });
  }
}

/** Reads the bytes of a WAV file with integer samples. Throws a TypeError for other files. */
export function parseWav(file: Uint8Array): Wav {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tag = (at: number) => String.fromCharCode(...file.subarray(at, at + 4));
  if (file.length < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") throw new TypeError("this is not a WAV file");
  let fields: Required<WavFields> | undefined;
  for (let at = 12; at + 8 <= file.length; ) {
    const [name, size, body] = [tag(at), view.getUint32(at + 4, true), at + 8];
    if (name === "fmt " && body + 16 <= file.length) {
      const format = view.getUint16(body, true);
      // 0xfffe has the format in its extension.
      if (format !== 1 && !(format === 0xfffe && body + 26 <= file.length && view.getUint16(body + 24, true) === 1)) {
        throw new TypeError("the samples of this WAV file are no integers: send the file as it is");
      }
      fields = {
        channels: view.getUint16(body + 2, true),
        sampleRate: view.getUint32(body + 4, true),
        sampleWidth: view.getUint16(body + 14, true) / 8,
      };
    }
    // The size of a file that was written while it was recorded can be wrong.
    if (name === "data" && fields) return new Wav(new Uint8Array(file.subarray(body, Math.min(body + size, file.length))), fields);
    at = body + size + (size % 2);
  }
  throw new TypeError("the WAV file is incomplete");
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
