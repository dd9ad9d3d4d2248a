// Runs the tests against a built server, with each Node.js given: node run.mjs [--junit FOLDER] [NODE…]
// Default: the Node.js that runs this. Run `make build` in the project and `npm run build` here first.

import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { serve } from "./serving.mjs";

const args = process.argv.slice(2);
const reports = args[0] === "--junit" ? args.splice(0, 2)[1] : undefined;
const nodes = args.length > 0 ? args : [process.execPath];
const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.mjs"));
let failed = false;
for (const [number, node] of nodes.entries()) {
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
  console.log(`# Node.js ${version}`);
  const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
  if (reports) reporters.push("--test-reporter=junit", `--test-reporter-destination=${join(reports, `${number}-${version}.xml`)}`);
  const server = await serve(); // each has its own, because models that crash often are not tried again
  const tests = spawn(node, ["--test", ...reporters, ...files.map((name) => join(import.meta.dirname, name))], {
    stdio: "inherit",
    env: { ...process.env, MG_TEST_GRPC: server.grpc, MG_TEST_HTTP: server.http },
  });
  const status = await new Promise((resolve) => tests.on("exit", resolve));
  await server.stop();
  if (status === 0) continue;
  failed = true;
  console.error(`output of the server:\n${server.log()}`);
}
process.exitCode = failed ? 1 : 0;
