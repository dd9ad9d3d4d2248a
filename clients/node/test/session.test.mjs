// What a session does when streams and servers fail in ways that take long in reality. The clock is a test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import * as mg from "@lexilingo/modelgateway";
import { OpenTranscriptionResponseSchema } from "@lexilingo/modelgateway/proto";
import { Caller } from "../dist/esm/calls.js";
import { OpenTranscription } from "../dist/esm/session.js";
import { SessionState } from "../dist/esm/sessionstate.js";

const message = (fields) => create(OpenTranscriptionResponseSchema, fields);
const segment = (sessionId, number, text, committedSequence) =>
  message({
    sessionId,
    eventSequence: BigInt(number),
    event: { event: { case: "segment", value: { text } }, offset: { committedSequence: BigInt(committedSequence) } },
  });
const broken = () => new mg.ServerUnreachable("the connection broke", { code: Code.Unavailable });

test("events of the old stream are taken once, and none of a lost session", () => {
  const state = new SessionState({});
  state.opened(message({ sessionId: "a" }), "");
  for (let piece = 0; piece < 4; piece++) state.push(new Uint8Array(2), false);
  while (state.nextPush());
  assert.ok(state.take(segment("a", 1, "one", 1)));
  assert.equal(state.take(segment("a", 1, "one", 1)), undefined);
  assert.notEqual(state.failed(new mg.SessionLost("lost")), undefined);
  assert.equal(state.opening().config.resumeFrom.committedSequence, 1n);
  assert.equal(state.take(segment("a", 2, "two", 3)), undefined); // while the next stream opens
  state.opened(message({ sessionId: "b", nextAudioSequence: 1n }), "");
  assert.deepEqual([1n, 2n, 3n, undefined].map(() => state.nextPush()?.sequence), [1n, 2n, 3n, undefined]);
  assert.ok(state.take(segment("b", 1, "two", 3)));
  assert.equal(state.text, "one two");
});

test("a failure that ends the session leaves its events to be read", () => {
  const state = new SessionState({});
  state.opened(message({ sessionId: "a" }), "");
  assert.equal(state.failed(new mg.AudioUnreadable("no audio")), undefined);
  assert.ok(state.take(segment("a", 1, "one", 0)));
});

test("every break has its own time to be recovered from, also without an event between", (t) => {
  let now = 1000;
  t.mock.method(performance, "now", () => now);
  const state = new SessionState({});
  const open = () => state.opened(message({ sessionId: "a" }), "");
  open();
  for (let breaks = 0; breaks < 3; breaks++) {
    now += 31_000;
    assert.equal(state.failed(broken()), 200, `break ${breaks}`);
    open();
  }
  // Streams that open and break at once do not recover.
  let tries = 0;
  for (let wait = 0; (wait = state.failed(broken())) !== undefined; tries++) {
    now += wait;
    open();
  }
  assert.ok(tries > 10 && tries < 30, `${tries} tries`);
});

test("a session goes on if the server does not answer a push", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const opened = [];
  const pushed = [];
  let done;
  const heard = new Promise((resolve) => (done = resolve));
  const models = {
    async *openTranscription(request) {
      opened.push(request.sessionId ?? "");
      yield message({ sessionId: "a" });
      await heard;
      yield message({ sessionId: "a", eventSequence: 1n, event: { event: { case: "final", value: { text: "heard" } } } });
    },
    async pushAudio({ sequence, last }, { signal }) {
      pushed.push(sequence);
      if (opened.length > 1) return last ? done() : undefined;
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  };
  const caller = new Caller({}, async () => new Headers(), "", new AbortController().signal);
  const session = await OpenTranscription.open(caller, models, {}, { timeoutMs: 3_600_000 });
  const finished = session.push(new Uint8Array(2)).then(() => session.finish());
  const text = (async () => {
    for await (const _ of session);
    return session.text;
  })();
  let ended = false;
  const end = Promise.allSettled([finished, text]).finally(() => (ended = true));
  for (let ticks = 0; !ended && ticks < 1000; ticks++) {
    t.mock.timers.tick(1000);
    await setImmediate();
  }
  assert.ok(ended);
  await end;
  await finished;
  assert.equal(await text, "heard");
  assert.deepEqual(opened, ["", "a"]);
  assert.deepEqual(pushed, [0n, 1n, 0n, 1n]);
});
