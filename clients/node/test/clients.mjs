// The clients under test, and what stands between them and the server.

import { connect, createServer } from "node:net";
import * as node from "@lexilingo/modelgateway";
import * as web from "@lexilingo/modelgateway/web";

export const grpc = process.env.MG_TEST_GRPC;
export const http = process.env.MG_TEST_HTTP;
if (!grpc || !http) throw new Error("run the tests with `npm test`, which starts a server");

export const greedy = { temperature: 0, presencePenalty: 0, maxTokens: 16 };

/** Both packages. `client` makes a client for the address of one of its ports, by default of the server under test. */
export const both = [
  { name: "node", mg: node, port: grpc, client: (address = grpc, options) => new node.Client(address, options) },
  {
    name: "web",
    mg: web,
    port: http.slice("http://".length),
    client: (address = http.slice("http://".length), options) => new web.Client(`http://${address}`, options),
  },
];

/** Forwards TCP connections to an address until they are cut. */
export async function proxy(target) {
  const open = new Set();
  let received = 0;
  let sent = "";
  const server = createServer((here) => {
    const [host, port] = target.split(":");
    const there = connect(Number(port), host);
    there.on("data", (bytes) => (received += bytes.length));
    here.on("data", (bytes) => (sent += bytes.length > 4096 ? "" : bytes.toString("latin1")));
    for (const [one, other] of [[here, there], [there, here]]) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => {});
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    /** Bytes that came from the server. */
    get received() {
      return received;
    },
    /** What went to the server, without large pieces. */
    get sent() {
      return sent;
    },
    address: `127.0.0.1:${server.address().port}`,
    /** Lets new connections go elsewhere. */
    set target(address) {
      target = address;
    },
    /** Breaks the open connections and returns their number. */
    cut() {
      const count = open.size / 2;
      for (const socket of open) socket.destroy();
      return count;
    },
    close() {
      server.close();
      this.cut();
    },
  };
}

/** Returns what a promise rejects with. */
export async function rejection(promise) {
  return await promise.then(
    (value) => Promise.reject(new Error(`nothing was thrown, but ${value} returned`)),
    (error) => error,
  );
}

/** Returns all values of a stream. */
export async function all(stream) {
  const values = [];
  for await (const value of stream) values.push(value);
  return values;
}

/** Waits for a condition of another process. */
export async function eventually(what, ok) {
  for (let tries = 0; tries < 6000; tries++) {
    if (await ok()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`this did not happen: ${what}`);
}
