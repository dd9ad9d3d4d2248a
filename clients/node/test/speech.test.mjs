// Speech: sources, sessions whose connection breaks, workers that die, readers that are slow.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { all, both, eventually, proxy, rejection } from "./clients.mjs";

const last = (events) => events.at(-1).event.value;
const seconds = (duration) => Number(duration.seconds) + duration.nanos / 1e9;
const endless = 'fault: {"token_count": 100000000}';

for (const { name, mg, port, client: connect } of both) {
  test(`${name}`, async (t) => {
    const client = connect();
    const folder = mkdtempSync(join(tmpdir(), "mg-"));
    t.after(() => {
      client.close();
      rmSync(folder, { recursive: true });
    });
    const speech = client.synthesize("The quick brown fox jumps. How are you?", { model: "voice", sentenceSilenceMs: 100 });
    const spoken = await speech.wav();

    await t.test("speech is streamed by sentence, and can be compressed", async () => {
      assert.deepEqual(speech.sentences, ["The quick brown fox jumps.", "How are you?"]);
      assert.equal(speech.servedBy.model, "voice");
      assert.equal(spoken.sampleRate, 22_050);
      const options = { model: "voice", output: { encoding: "mp3", bitrate: 32_000 } };
      const mp3 = await client.synthesize("Hello there.", options).read();
      assert.ok(mp3[0] === 0xff || Buffer.from(mp3.subarray(0, 3)).toString() === "ID3");
      assert.ok((await client.transcribe(mp3, { model: "ears", language: "en" })).transcript.audioDuration.nanos > 0);
      await assert.rejects(client.synthesize("Hello", options).wav(), TypeError);
    });

    await t.test("words are aligned if the voice gives no times", async () => {
      const aligned = client.synthesize("Hello, how are you?", { alignWords: true });
      await aligned.read();
      assert.deepEqual(aligned.words.map((word) => [word.text, word.aligned]), [["Hello", true], ["how", true], ["are", true], ["you", true]]);
      const given = client.synthesize("Hello.", { model: "voice", alignWords: true });
      await given.read();
      assert.deepEqual(given.words.map((word) => [word.text, word.aligned]), [["Hello", false]]);
    });

    // A browser does the same for "web" in test/e2e.
    await t.test("a recording and a live stream are heard to their ends", { skip: name === "web" }, async () => {
      const options = { model: "ears", language: "en" };
      const whole = (await client.transcribe(spoken, options)).transcript;
      assert.ok(Math.abs(seconds(whole.audioDuration) - spoken.seconds) < 0.01);
      const tenth = spoken.sampleRate / 5;
      const microphone = (async function* () {
        for (let at = 0; at < spoken.pcm.length; at += tenth) yield spoken.pcm.subarray(at, at + tenth);
      })();
      const stream = client.streamTranscribe(microphone, { ...options, format: mg.pcm(spoken.sampleRate) });
      const events = await all(stream);
      assert.ok(Math.abs(seconds(last(events).audioDuration) - spoken.seconds) < 0.01);
      assert.equal(stream.servedBy.engine, "whisper");
      assert.equal(stream.text, stream.transcript.text);
    });

    await t.test("every kind of source is sent whole", async () => {
      const bytes = new Uint8Array(2_500_000);
      const file = join(folder, "noise.pcm");
      writeFileSync(file, bytes);
      const sources = {
        bytes: () => bytes,
        buffer: () => bytes.buffer,
        blob: () => new Blob([bytes]),
        stream: () => new Blob([bytes]).stream(),
        list: () => [bytes.subarray(0, 3), bytes.subarray(3)],
        generator: async function* () {
          yield bytes;
        },
        ...(name === "node" && { path: () => file, URL: () => pathToFileURL(file) }),
      };
      for (const [kind, source] of Object.entries(sources)) {
        for (const method of ["recognize", "transcribe"]) {
          const { transcript } = await client[method](source(), { format: mg.pcm() });
          assert.equal(transcript.text, "2500000 bytes", `${method} of ${kind}`);
        }
      }
      assert.equal(await client.streamTranscribe(bytes, { format: mg.pcm() }).read(), "2500000 bytes");
    });

    await t.test("pronunciation scores each word", async () => {
      const answer = await client.pronunciation(spoken, "The quick brown fox", { model: "judge" });
      assert.deepEqual(answer.words.filter((word) => word.errorType !== 4).map((word) => word.text), ["The", "quick", "brown", "fox"]);
    });

    await t.test("a broken stream of events is resumed", async (t) => {
      const between = await proxy(port);
      t.after(() => between.close());
      const far = connect(between.address);
      const session = await far.openTranscription({ format: mg.pcm() });
      await session.push(new Uint8Array(1000));
      const first = await session.next();
      assert.equal(first.value.event.value.tentativeText, "1000 bytes");
      assert.ok(between.cut() >= 1);
      const pushed = session.push(new Uint8Array(2000)).then(() => session.finish());
      const rest = await all(session);
      await pushed;
      const texts = rest.filter(({ event }) => event.case === "interim").map(({ event }) => event.value.tentativeText);
      // Not the first event again. The end of the audio can have an interim result of its own; outdated ones are skipped.
      assert.ok(texts.every((text) => text === "3000 bytes"), texts.join());
      assert.equal(last(rest).text, "3000 bytes");
      assert.equal(session.text, "3000 bytes");
      far.close();
    });

    await t.test("live speech survives a connection that breaks all the time", async (t) => {
      const between = await proxy(port);
      t.after(() => between.close());
      const far = connect(between.address);
      const session = await far.openTranscription({ format: mg.pcm(), interimResults: false });
      const events = all(session);
      let cuts = 0;
      for (let piece = 0; piece < 60; piece++) {
        await session.push(new Uint8Array(100));
        if (piece % 10 === 9) cuts += between.cut();
      }
      await session.finish();
      assert.equal(last(await events).text, "6000 bytes");
      assert.ok(cuts >= 6, `${cuts} cuts`);
      far.close();
    });

    await t.test("a session that cannot be resumed says why", async () => {
      const session = await client.openTranscription({ format: mg.pcm(), timeoutMs: 60_000 });
      await session.push(new TextEncoder().encode("x".repeat(100)));
      await session.close();
      const bad = await client.openTranscription({ model: "ears" });
      await bad.push(new TextEncoder().encode("this is not audio at all".repeat(100)));
      await bad.finish().catch(() => {});
      const error = await rejection(all(bad));
      assert.ok(error instanceof mg.AudioUnreadable, error);
    });

    await t.test("an error of the microphone ends the stream with that error", async () => {
      const unplugged = new Error("the microphone was unplugged");
      const microphone = (async function* () {
        yield new Uint8Array(1000);
        throw unplugged;
      })();
      assert.equal(await rejection(all(client.streamTranscribe(microphone, { format: mg.pcm() }))), unplugged);
      await eventually("the model is free", async () => (await client.getModel("whisper")).activeCount === 0);
    });

    await t.test("an abort ends live speech with Cancelled", async () => {
      const abort = new AbortController();
      const microphone = (async function* () {
        yield new Uint8Array(1000);
        await new Promise(() => {});
      })();
      const stream = client.streamTranscribe(microphone, { format: mg.pcm(), signal: abort.signal });
      assert.equal((await stream.next()).value.event.case, "interim");
      abort.abort();
      assert.ok((await rejection(all(stream))) instanceof mg.Cancelled);
    });

    await t.test("the error of a worker that was killed in mid-stream", async () => {
      const stream = client.streamChat(endless, { model: "victim" });
      assert.ok((await stream.next()).value);
      process.kill((await client.getModel("victim")).workerPid, "SIGKILL");
      const error = await rejection(all(stream));
      assert.ok(error instanceof mg.EngineCrashed, error);
      assert.ok(stream.text && error.retryAfterMs > 0);
    });

    await t.test("a slow reader slows the worker and loses nothing", async (t) => {
      const between = await proxy(port);
      t.after(() => between.close());
      const far = connect(between.address);
      const word = "x".repeat(4000);
      const words = 8000;
      const stream = far.streamChat(`fault: {"text": "${word}", "token_count": ${words}}`, { model: "victim" });
      let length = (await stream.next()).value.length;
      for (let before = -1; before !== between.received; ) {
        before = between.received;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert.ok(between.received < (words * word.length) / 2, `${between.received} bytes were read before anybody wanted them`);
      for await (const piece of stream) length += piece.length;
      assert.ok(length >= words * word.length);
      far.close();
    });
  });
}
