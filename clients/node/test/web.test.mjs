// Live speech of the client for the web that cannot start, and streams that are left while a read is pending.

import assert from "node:assert/strict";
import { test } from "node:test";
import { all, both, eventually, rejection } from "./clients.mjs";

const { mg, client: connect } = both[1];

/** A microphone that hears some pieces and then nothing, and notes that it was turned off. */
function silence(...pieces) {
  let end;
  const heard = new Promise((resolve) => (end = resolve));
  return {
    format: mg.pcm(),
    off: false,
    [Symbol.asyncIterator]() {
      return this;
    },
    next: async () => (pieces.length > 0 ? { done: false, value: pieces.shift() } : await heard),
    async return() {
      this.off = true;
      end({ done: true, value: undefined });
      return { done: true, value: undefined };
    },
  };
}

for (const over of ["session", "websocket"]) {
  test(`the microphone is turned off, over a ${over}`, async (t) => {
    const client = connect();
    t.after(() => client.close());
    await t.test("if live speech cannot start", async () => {
      const microphone = silence();
      const abort = AbortSignal.abort();
      await rejection(all(client.streamTranscribe(microphone, { over, signal: abort })));
      assert.ok(microphone.off);
      const keyless = connect(undefined, { apiKey: () => Promise.reject(new Error("no key")) });
      const other = silence();
      await rejection(all(keyless.streamTranscribe(other, { over })));
      assert.ok(other.off);
    });
    await t.test("if its stream is closed before it was read", async () => {
      const microphone = silence();
      await client.streamTranscribe(microphone, { over }).close();
      assert.ok(microphone.off);
    });
  });
}

const noSocket = !globalThis.WebSocket && "this Node.js has no WebSocket";

test("a key that a WebSocket cannot send is not in the error", { skip: noSocket }, async () => {
  for (const apiKey of ["secret key", "secret,key", "sécret"]) {
    const client = connect(undefined, { apiKey });
    const error = await rejection(all(client.streamTranscribe(silence(), { over: "websocket" })));
    assert.ok(error instanceof mg.InvalidRequest, error);
    assert.ok(!String(error.stack).includes(apiKey), error);
  }
});

for (const { name, mg, client: connect } of both) {
  test(`${name}: leaving a stream ends a read that is pending`, async (t) => {
    const client = connect();
    t.after(() => client.close());
    const stalling = 'fault: {"fault": "stall"}';
    const idle = () => eventually("the model is free", async () => (await client.getModel("counted")).activeCount === 0);
    await t.test("chat", async () => {
      const stream = client.streamChat(stalling, { model: "counted" });
      const pending = rejection(stream.next());
      await eventually("the call runs", async () => (await client.getModel("counted")).activeCount === 1);
      await stream.close();
      assert.ok((await pending) instanceof mg.Cancelled);
      await idle();
    });
    await t.test("live speech", async () => {
      const stream = client.streamTranscribe(silence(new Uint8Array(1000)), { format: mg.pcm(), model: "counted" });
      assert.equal((await stream.next()).value.event.case, "interim");
      const pending = rejection(stream.next());
      await stream.close();
      assert.ok((await pending) instanceof mg.Cancelled);
    });
    await t.test("watching", async () => {
      const watching = client.watchModels("counted");
      await watching.next();
      const pending = rejection(watching.next());
      await watching.return();
      assert.ok((await pending) instanceof mg.Cancelled);
    });
  });
}
