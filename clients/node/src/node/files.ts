/** Audio files of Node.js. */

import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { parseWav, Wav } from "../audio.js";
import { SpeechStream as BaseSpeechStream } from "../results.js";

/** The path of a file, or its URL. */
export type Path = string | URL;

/** Reads a file while it is sent. It can be read again. */
export class FileSource implements AsyncIterable<Uint8Array> {
  constructor(private readonly path: Path) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    yield* createReadStream(this.path) as AsyncIterable<Uint8Array>;
  }
}

/** Reads a WAV file with integer samples. Throws a TypeError for other files. */
export async function readWav(file: Path | Uint8Array): Promise<Wav> {
  return parseWav(file instanceof Uint8Array ? file : await readFile(file));
}

/** Writes audio to a file: a Wav as a WAV file, bytes as they are. */
export async function save(path: Path, audio: Wav | Uint8Array): Promise<void> {
  await writeFile(path, audio instanceof Wav ? audio.toBytes() : audio);
}

/** Yields speech: samples (signed 16-bit little-endian, mono), or the bytes of the encoding that was asked for. */
export class SpeechStream extends BaseSpeechStream {
  /** Waits for the end and writes the speech to a file: a WAV file, or the encoding that was asked for. */
  async save(path: Path): Promise<void> {
    await save(path, this.isPcm ? await this.wav() : await this.read());
  }
}
