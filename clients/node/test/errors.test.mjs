// Errors, deadlines and retries.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { constants, createServer as createServer2 } from "node:http2";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema, ErrorReason, ModelGatewayService, RetryInfoSchema } from "@lexilingo/modelgateway/proto";
import { all, both, eventually, rejection } from "./clients.mjs";

/** Text for the test engine: fail, after so many tokens. */
const failing = (reason, after = 0, retryMs = 20) =>
  `fault: {"fault": "error", "error_reason": "${reason}", "error_retry_ms": ${retryMs}, "fault_after_tokens": ${after}}`;
const stalling = 'fault: {"fault": "stall"}';
const endless = 'fault: {"token_count": 100000000, "token_interval_us": 1000}';

/** A server that fails a number of times and then answers. */
async function flaky(name, failures, retryMs) {
  const calls = [];
  const routes = (router) =>
    router.rpc(ModelGatewayService.method.chat, (_, { requestHeader }) => {
      calls.push(requestHeader);
      if (calls.length > failures) return { message: { content: "at last" } };
      throw new ConnectError("not now", Code.Unavailable, undefined, [
        { desc: ErrorInfoSchema, value: { reason: "LOAD_COOLDOWN", domain: "modelgateway", metadata: { model: "m" } } },
        { desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(Math.floor(retryMs / 1000)), nanos: (retryMs % 1000) * 1e6 } } },
      ]);
    });
  const server = (name === "node" ? createServer2 : createServer)(connectNodeAdapter({ routes }));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { calls, address: `127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test("every reason has its class", () => {
  const reasons = Object.keys(ErrorReason).filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED");
  const classes = Object.values(both[0].mg).map((value) => value?.reason).filter(Boolean);
  assert.deepEqual(classes.sort(), reasons.sort());
});

// A proxy whose server is gone resets the stream, with one of several codes. That is not a cancellation by the caller.
test("a call that a proxy resets", async (t) => {
  const { mg, client: connect } = both[0];
  for (const code of [constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR]) {
    let streams = 0;
    const proxy = createServer2();
    proxy.on("stream", (stream) => {
      streams++;
      stream.on("error", () => {});
      stream.close(code);
    });
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const client = connect(`127.0.0.1:${proxy.address().port}`);
    t.after(() => (client.close(), proxy.close()));
    const error = await rejection(client.chat("x"));
    assert.ok(error instanceof mg.ServerUnreachable && error.reason === "", error);
    assert.equal(streams, 3, "a call that nobody has answered is made again");
  }
});

for (const { name, mg, client: connect } of both) {
  test(`${name}`, async (t) => {
    const client = connect();
    t.after(() => client.close());
    const count = async () => Number((await client.getModel("counted")).requestCount);

    for (const [call, kind, metadata] of [
      [["x", { model: "nobody" }], "ModelNotFound", { model: "nobody" }],
      [[[]], "InvalidRequest", {}],
      [["x", { model: "big" }], "ModelExceedsBudget", { model: "big" }],
      [["x", { model: "lost" }], "ModelFileMissing", { model: "lost" }],
      [[stalling, { model: "tutor", timeoutMs: 500 }], "DeadlineExceeded", {}],
    ]) {
      await t.test(`the server's ${kind}`, async () => {
        const error = await rejection(client.chat(...call));
        assert.ok(error instanceof mg[kind] && error instanceof mg.ModelGatewayError, error);
        assert.equal(error.reason, mg[kind].reason);
        assert.equal(error.name, kind);
        assert.ok(error.message && !error.message.includes("["), error.message);
        for (const [key, value] of Object.entries(metadata)) assert.equal(error.metadata[key], value);
        const streamed = await rejection(all(client.streamChat(...call)));
        assert.ok(streamed instanceof mg[kind], streamed);
      });
    }

    await t.test("a crash is retried once", async () => {
      const before = (await client.getModel("crasher")).loadCount;
      assert.ok((await rejection(client.chat("x", { model: "crasher" }))) instanceof mg.EngineCrashed);
      assert.equal((await client.getModel("crasher")).loadCount - before, 2n);
    });

    await t.test("no server", async () => {
      const nowhere = connect("127.0.0.1:1");
      const error = await rejection(nowhere.status({ timeoutMs: 5000 }));
      assert.ok(error instanceof mg.ServerUnreachable && error.reason === "", error);
      assert.match(error.message, name === "node" ? /MODELGATEWAY_ADDR/ : /cors\.allowed_origins/);
      nowhere.close();
    });

    await t.test("retries follow the advice up to the limit", async () => {
      const before = await count();
      const error = await rejection(client.chat(failing("MEMORY_BUSY"), { model: "counted" }));
      assert.ok(error instanceof mg.MemoryBusy && error.retryAfterMs === 20, error);
      assert.equal((await count()) - before, 3);
    });

    await t.test("a stream is retried before its first piece, and not after it", async () => {
      const before = await count();
      assert.ok((await rejection(all(client.streamChat(failing("QUEUE_FULL"), { model: "counted" })))) instanceof mg.QueueFull);
      assert.equal((await count()) - before, 3);
      const stream = client.streamChat(failing("MEMORY_BUSY", 2), { model: "counted" });
      assert.ok((await rejection(all(stream))) instanceof mg.MemoryBusy);
      assert.ok(stream.text);
      assert.equal((await count()) - before, 4);
    });

    await t.test("a request that is wrong is not retried", async () => {
      const before = await count();
      assert.ok((await rejection(client.chat(failing("INVALID_REQUEST", 0, 0), { model: "counted" }))) instanceof mg.InvalidRequest);
      assert.equal((await count()) - before, 1);
    });

    await t.test("a call succeeds after the advised wait", async (t) => {
      const server = await flaky(name, 2, 200);
      t.after(server.close);
      let keys = 0;
      const caller = connect(server.address, { apiKey: () => `key${++keys}`, headers: { "x-tenant": "7" } });
      const began = performance.now();
      assert.equal((await caller.chat("x")).message.content, "at last");
      assert.ok(performance.now() - began >= 400);
      assert.deepEqual(server.calls.map((headers) => headers.get("authorization")), ["Bearer key1", "Bearer key2", "Bearer key3"]);
      assert.equal(server.calls[0].get("x-tenant"), "7");
      caller.close();
    });

    for (const [why, retry, timeoutMs] of [
      ["they are turned off", { attempts: 1 }, Infinity],
      ["the wait is too long", { maxWaitMs: 5000 }, Infinity],
      ["the wait does not fit into the deadline", {}, 9000],
    ]) {
      await t.test(`no retry if ${why}`, async (t) => {
        const server = await flaky(name, 1, 10_000);
        t.after(server.close);
        const caller = connect(server.address, { retry });
        const error = await rejection(caller.chat("x", { timeoutMs }));
        assert.ok(error instanceof mg.LoadCooldown && error.retryAfterMs === 10_000, error);
        assert.deepEqual({ ...error.metadata }, { model: "m" });
        assert.equal(server.calls.length, 1);
        caller.close();
      });
    }

    await t.test("an abort cancels the call, the wait for a retry, and the server's work", async (t) => {
      const idle = () => eventually("the model is free", async () => (await client.getModel("counted")).activeCount === 0);
      const abort = new AbortController();
      const call = rejection(client.chat(stalling, { model: "counted", signal: abort.signal }));
      await eventually("the call runs", async () => (await client.getModel("counted")).activeCount === 1);
      abort.abort(new Error("the user left"));
      const error = await call;
      assert.ok(error instanceof mg.Cancelled && error.cause.message === "the user left", error);
      await idle();
      assert.ok((await rejection(client.chat("x", { signal: abort.signal }))) instanceof mg.Cancelled);
      const server = await flaky(name, 1, 20_000);
      t.after(server.close);
      const caller = connect(server.address);
      const waiting = new AbortController();
      const refused = rejection(caller.chat("x", { signal: waiting.signal }));
      await eventually("the call was refused", () => server.calls.length === 1);
      waiting.abort();
      assert.ok((await refused) instanceof mg.Cancelled);
      caller.close();
    });

    // The client for the web sends whole recordings.
    await t.test("a call that fails while audio waits to be sent throws its own error", { skip: name === "web" }, async (t) => {
      let reading = () => {};
      const server = createServer2(); // reads nothing
      server.on("session", (session) => session.on("error", () => {}));
      server.on("stream", (stream) => reading(stream.on("error", () => {})));
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const far = connect(`127.0.0.1:${server.address().port}`, { retry: { attempts: 1 } });
      t.after(() => {
        far.close();
        server.close();
      });
      const audio = Array.from({ length: 20 }, () => new Uint8Array(1_000_000)); // more than fits into the stream's window
      for (const method of ["transcribe", "streamTranscribe"]) {
        const sending = (options) => {
          const call = far[method](audio, { format: mg.pcm(), ...options });
          return rejection(method === "transcribe" ? call : all(call));
        };
        const late = await sending({ timeoutMs: 300 });
        assert.ok(late instanceof mg.DeadlineExceeded, late);
        const abort = new AbortController();
        reading = () => setTimeout(() => abort.abort(), 100);
        const error = await sending({ signal: abort.signal });
        assert.ok(error instanceof mg.Cancelled, error);
      }
    });

    await t.test("leaving a stream stops the server's work, and an abort ends it with Cancelled", async () => {
      for await (const piece of client.streamChat(endless, { model: "counted" })) if (piece) break;
      await eventually("the model is free", async () => (await client.getModel("counted")).activeCount === 0);
      const abort = new AbortController();
      const error = await rejection((async () => {
        for await (const _ of client.streamChat(endless, { model: "counted", signal: abort.signal })) abort.abort();
      })());
      assert.ok(error instanceof mg.Cancelled, error);
    });
  });
}
