// API keys: which error a refused one gives, and that it is in no address and in no error.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { both, proxy, rejection } from "./clients.mjs";
import { serve } from "./serving.mjs";

const piece = new Uint8Array(1000);

/** How live speech is sent. */
const ways = [
  { ...both[0], over: undefined },
  { ...both[1], name: "web, over a session", over: "session" },
  { ...both[1], name: "web, over a WebSocket", over: "websocket" },
];

/** Returns an error and its causes as text. */
function textOf(error) {
  let text = "";
  for (let inner = error; inner instanceof Error; inner = inner.cause) text += `${inner.stack}\n${JSON.stringify(inner)}\n`;
  return text;
}

test("keys", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "mg-"));
  const file = join(folder, "keys.yaml");
  const keys = (...args) => execFileSync(resolve(import.meta.dirname, "../../../bin/modelgateway"), ["keys", ...args, "--keys-file", file], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const add = (name, role) => keys("add", name, "--role", role).match(/mg_\S+/)[0];
  const secrets = Object.fromEntries([...ways.keys()].map((number) => [number, add(`speaker${number}`, "infer")]));
  const watcher = add("watcher", "observe");
  const server = await serve("--keys-file", file);
  t.after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  for (const [number, { name, mg, client: connect, over }] of ways.entries()) {
    const skip = over === "websocket" && !globalThis.WebSocket && "this Node.js has no WebSocket";
    await t.test(name, { skip }, async (t) => {
      const between = await proxy(over ? new URL(server.http).host : server.grpc);
      const clients = [];
      t.after(() => {
        for (const client of clients) client.close();
        between.close();
      });
      const live = (apiKey, audio = [piece]) => {
        const client = connect(between.address, { apiKey });
        clients.push(client);
        return client.streamTranscribe(audio, { over, format: mg.pcm() });
      };
      const [key, texts] = [secrets[number], []];
      const wrong = `${key.slice(0, -4)}nope`;
      const refused = async (kind, stream) => {
        const error = await rejection(stream.read());
        assert.ok(error instanceof mg[kind], error);
        texts.push(textOf(error));
      };
      assert.equal(await live(key).read(), "1000 bytes");
      await refused("Unauthenticated", live(wrong));
      await refused("Unauthenticated", live(undefined));
      await refused("Forbidden", live(watcher));
      const open = live(key, (async function* () {
        yield piece;
        await new Promise(() => {});
      })());
      await open.next();
      keys("revoke", `speaker${number}`);
      await refused("Unauthenticated", open);
      await refused("Unauthenticated", live(key));
      const lines = between.sent.match(/(GET|POST) \S+ HTTP\/1\.1|referer: .*/gi) ?? []; // HTTP/2 compresses them
      if (over) assert.ok(lines.length >= 6, lines.join());
      for (const secret of [key, wrong, watcher]) {
        for (const text of [...texts, ...lines, server.log()]) assert.ok(!text.includes(secret), text);
      }
    });
  }
});
