// Sessions survive the loss of their server, and calls tell proxies what they need.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createServer2 } from "node:http2";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ModelGatewayService } from "@lexilingo/modelgateway/proto";
import { all, both, proxy } from "./clients.mjs";
import { serveWith } from "./serving.mjs";

// A model that hears numbers: see engines/fault/numbers.go.
const config = (name) => (file) => `
advertise: ${name}
engines:
  fault: {command: [engine-fault], max_concurrency: 4}
models:
  numbers: {engine: fault, path: ${file}, memory_mb: 64, parameters: {hear_numbers: true}}
tasks:
  transcribe: {primary: numbers, fallbacks: []}
`;
const count = 120;
const numbers = Array.from({ length: count }, (_, at) => String(at + 1)).join(" ");

/** Yields the numbers as audio, in pieces whose lengths have nothing to do with those of the words. */
function* spoken() {
  const pcm = new Uint8Array(Uint16Array.from({ length: count * 1600 }, (_, at) => Math.floor(at / 1600) + 1).buffer);
  for (let at = 0, size = 1001; at < pcm.length; at += size, size = (size % 5000) + 1001) yield pcm.subarray(at, at + size);
}

for (const { name, mg, client: connect } of both) {
  test(`${name}`, async (t) => {
    const port = (server) => (name === "node" ? server.grpc : server.http.slice("http://".length));

    await t.test("a session continues on another server, with no word lost or twice", async (t) => {
      const servers = await Promise.all(["10.0.0.1:50051", "10.0.0.2:50051"].map((address) => serveWith(config(address))));
      const between = await proxy(port(servers[0]));
      const client = connect(between.address);
      t.after(async () => {
        client.close();
        between.close();
        await Promise.all(servers.map((server) => server.stop()));
      });
      const session = await client.openTranscription({ format: mg.pcm() });
      const pushed = (async () => {
        for (const piece of spoken()) await session.push(piece);
        await session.finish();
      })();
      const segments = [];
      for await (const { event } of session) {
        if (event.case !== "segment") continue;
        segments.push(event.value);
        if (segments.length !== 5) continue;
        between.target = port(servers[1]);
        await servers[0].kill();
      }
      await pushed;
      assert.equal(segments.map(({ text }) => text).join(" "), numbers);
      assert.equal(session.text, numbers);
      assert.deepEqual(session.transcript.segments, segments);
      assert.equal(Number(session.transcript.audioDuration.seconds), count / 10);
      assert.equal(session.servedBy.instance, "10.0.0.2:50051");
    });

    await t.test("pushes and reopenings name the server; calls name their conversation and model", async (t) => {
      const calls = [];
      let lose;
      const lost = new Promise((resolve) => (lose = resolve));
      const routes = (router) => {
        const { chat, openTranscription, pushAudio } = ModelGatewayService.method;
        router.rpc(chat, (_, { requestHeader }) => void calls.push(requestHeader) ?? {});
        router.rpc(pushAudio, (_, { requestHeader }) => {
          calls.push(requestHeader);
          lose();
          return {};
        });
        router.rpc(openTranscription, async function* (request, { requestHeader, responseHeader }) {
          calls.push(requestHeader);
          responseHeader.set("mg-endpoint", "10.0.0.9:1");
          yield { sessionId: "s", nextAudioSequence: BigInt(calls.length - 1) };
          await lost;
          if (!request.sessionId) throw new ConnectError("the connection broke", Code.Unavailable);
          yield { sessionId: "s", eventSequence: 1n, event: { event: { case: "final", value: { text: "x" } } } };
        });
      };
      const server = (name === "node" ? createServer2 : createServer)(connectNodeAdapter({ routes }));
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const client = connect(`127.0.0.1:${server.address().port}`);
      t.after(() => {
        client.close();
        server.close();
      });
      const session = await client.openTranscription({ format: mg.pcm(), model: "whisper" });
      await session.push(new Uint8Array(2));
      assert.equal((await all(session)).at(-1).event.value.text, "x");
      const [opened, pushed, reopened] = calls.splice(0);
      assert.deepEqual([opened.get("mg-endpoint"), opened.get("mg-model")], [null, "whisper"]);
      assert.deepEqual([pushed.get("mg-endpoint"), reopened.get("mg-endpoint")], ["10.0.0.9:1", "10.0.0.9:1"]);
      await client.conversation("one").conversation("Chào").chat("Hello", { model: "qwen" });
      await client.chat("Hello");
      await client.chat("Hello", { model: "Mô hình" });
      assert.deepEqual(calls.map((call) => [call.get("mg-affinity"), call.get("mg-model")]), [
        [createHash("sha256").update("Chào").digest("hex").slice(0, 32), "qwen"], // as every client
        [null, null],
        [null, null],
      ]);
    });
  });
}
