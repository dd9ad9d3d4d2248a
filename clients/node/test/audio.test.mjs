// WAV files.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pcm, readWav, save, Wav } from "@lexilingo/modelgateway";
import * as web from "@lexilingo/modelgateway/web";

const samples = Uint8Array.from({ length: 6 * 100 }, (_, at) => at);

test("a WAV file is read as it was written", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "mg-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const wav = new Wav(samples, { sampleRate: 8000, channels: 2, sampleWidth: 3 });
  await save(join(folder, "a.wav"), wav);
  const read = await readWav(join(folder, "a.wav"));
  assert.deepEqual({ ...read }, { ...wav });
  assert.equal(read.seconds, 100 / 8000);
  assert.deepEqual({ ...web.readWav(wav.toBytes()) }, { ...wav });
  assert.equal(wav.toBlob().type, "audio/wav");
});

test("chunks before the samples, and sizes that are wrong, do not matter", async () => {
  const file = new Wav(samples, { sampleRate: 8000 }).toBytes();
  const list = Uint8Array.of(...Buffer.from("LIST"), 3, 0, 0, 0, 1, 2, 3, 0);
  const longer = new Uint8Array([...file.subarray(0, 12), ...list, ...file.subarray(12)]);
  assert.deepEqual((await readWav(longer)).pcm, samples);
  const endless = file.slice();
  new DataView(endless.buffer).setUint32(40, 0xffffffff, true); // as written while it was recorded
  assert.deepEqual((await readWav(endless)).pcm, samples);
});

test("other files are refused", async () => {
  const float = new Wav(samples, { sampleRate: 8000, sampleWidth: 4 }).toBytes();
  float[20] = 3;
  const file = new Wav(samples, { sampleRate: 8000 }).toBytes();
  for (const [bytes, message] of [
    [new Uint8Array(), /not a WAV file/], [Buffer.from("ID3 this is no WAV file"), /not a WAV file/],
    [float, /no integers/], [file.subarray(0, 40), /incomplete/], [file.subarray(0, 14), /incomplete/],
  ]) {
    await assert.rejects(readWav(bytes), { name: "TypeError", message });
  }
});

test("formats", () => {
  assert.deepEqual(pcm(), { encoding: 1, sampleRateHertz: 16_000, channelCount: 1 });
  assert.deepEqual(web.pcmF32(48_000, 2), { encoding: 2, sampleRateHertz: 48_000, channelCount: 2 });
});
