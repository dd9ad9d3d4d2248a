// Starts the built server. Run `make build` first.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const bin = resolve(import.meta.dirname, "../../../bin");

// Chat and grammar use the starter model. Speech uses the test engine, which answers with the number of bytes that it
// got and supports every task; "voice", "ears" and "judge" are real engines with starter models.
const config = (file) => `
engines:
  fault: {command: [engine-fault], max_concurrency: 4}
models:
  qwen: {engine: llama, path: "starter:chat.gguf", memory_mb: 256, priority: critical, idle_timeout: 10m}
  whisper: {engine: fault, path: ${file}, memory_mb: 64}
  piper: {engine: fault, path: ${file}, memory_mb: 64}
  hubert: {engine: fault, path: ${file}, memory_mb: 64}
  tutor: {engine: fault, path: ${file}, memory_mb: 64}
  counted: {engine: fault, path: ${file}, memory_mb: 64}
  victim: {engine: fault, path: ${file}, memory_mb: 64}
  crasher: {engine: fault, path: ${file}, memory_mb: 64, parameters: {fault: crash}}
  big: {engine: fault, path: ${file}, memory_mb: 90000}
  lost: {engine: fault, path: ${file}.not-there, memory_mb: 64}
  ears: {engine: whisper, path: "starter:whisper.bin", threads: 1, parameters: {temperature_inc: 0}}
  voice: {engine: piper, path: "starter:voice.onnx"}
  judge: {engine: hubert, path: "starter:pronunciation.onnx"}
tasks:
  chat: {primary: qwen, fallbacks: []}
  grammar: {primary: qwen, fallbacks: []}
  respond: {primary: tutor, fallbacks: []}
  transcribe: {primary: whisper, fallbacks: []}
  synthesize: {primary: piper, fallbacks: []}
  pronunciation: {primary: hubert, fallbacks: []}
  explain_vietnamese: {primary: tutor, fallbacks: []}
`;

/** Runs a server with its own state folder until `stop`. */
export async function serve(...args) {
  return await serveWith(config, ...args);
}

/** Runs a server with a configuration, which gets the file of its models. */
export async function serveWith(config, ...args) {
  const directory = mkdtempSync(join(tmpdir(), "mg-"));
  const file = join(directory, "any.model");
  writeFileSync(file, "a model of the test engine");
  writeFileSync(join(directory, "config.yaml"), config(file));
  const server = spawn(join(bin, "modelgateway"), [
    "serve", "--config", join(directory, "config.yaml"), "--state-dir", join(directory, "state"),
    "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--max-memory-mb", "4000", ...args,
  ]);
  let log = "";
  server.stderr.on("data", (text) => (log += text));
  const exited = new Promise((resolve) => server.on("exit", resolve));
  const first = new Promise((resolve) => createInterface(server.stdout).once("line", resolve));
  const line = await Promise.race([first, exited.then((code) => `exit code ${code}: ${log}`)]);
  const addresses = line.match(/127\.0\.0\.1:\d+/g);
  if (!addresses || addresses.length < 2) throw new Error(`no line with two addresses: ${line}`);
  return {
    grpc: addresses[0],
    http: `http://${addresses[1]}`,
    log: () => log,
    /** Kills the server. */
    async kill() {
      server.kill("SIGKILL");
      await exited;
    },
    async stop() {
      server.kill("SIGTERM");
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
