// Checks the package as build.mjs has installed it, and prints a JSON object for each check: {"name", "error"?, "note"?}.
// Runs the examples for Node.js with the built server.

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { arch, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { Client } from "@lexilingo/modelgateway";
import { serve } from "../../../clients/node/test/serving.mjs";

process.chdir(import.meta.dirname);
const installed = "node_modules/@lexilingo/modelgateway";
const report = (name, error, note) => console.log(JSON.stringify({ name, error, note }));

/** Runs a program; it must end by itself, with code 0. */
async function run(name, program, args, options = {}) {
  const [failed, stdout, stderr] = await new Promise((resolve) =>
    execFile(program, args, { maxBuffer: 1 << 26, ...options }, (...result) => resolve(result)),
  );
  report(name, failed ? `${failed.message}\n${stdout}${stderr}` : undefined);
  return failed ? undefined : stdout;
}

const bin = (name) => resolve("node_modules/.bin", name);
await run("publint", bin("publint"), ["run", "--strict", "build/package.tgz"]);
await run("are the types wrong", bin("attw"), ["build/package.tgz", "--exclude-entrypoints", "worklet.js", "--no-color"]);

// TypeScript as strict as it can be, without skipLibCheck.
const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "es2022"];
const sources = readdirSync("build/examples").filter((name) => name.endsWith(".mts")).map((name) => `build/examples/${name}`);
await run("types in Node.js", bin("tsc"), [...strict, "--module", "nodenext", "--types", "node", ...sources, "types.mts", "types.cts"]);
const pages = readdirSync("build/pages").filter((name) => name.endsWith(".ts")).map((name) => `build/pages/${name}`);
await run("types in a browser", bin("tsc"), [...strict, "--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2022,dom,dom.iterable", "--types", "", ...pages]);

const size = gzipSync(readFileSync("build/size/main.js"), { level: 9 }).length;
report("size of the web entry", size < 60_000 ? undefined : `${size} bytes, not less than 60,000`, `${size} bytes, gzipped`);

// What this project has installed for its own sake must not hide that the package does not ask for it.
const { dependencies } = JSON.parse(readFileSync(`${installed}/package.json`, "utf8"));
const files = readdirSync(`${installed}/dist/esm`, { recursive: true }).filter((name) => name.endsWith(".js") || name.endsWith(".d.ts"));
const imported = files.flatMap((name) => Array.from(readFileSync(join(installed, "dist/esm", name), "utf8").matchAll(/from "([^."][^"]*)"/g), ([, from]) => from));
const missing = imported.filter((from) => !from.startsWith("node:") && !Object.keys(dependencies).some((name) => from === name || from.startsWith(`${name}/`)));
report("every import is a dependency", missing.length === 0 && imported.length > 0 ? undefined : `not in dependencies: ${missing}`);

const server = await serve();
const folder = mkdtempSync(join(tmpdir(), "mg-"));
try {
  const client = new Client(server.grpc);
  await client.synthesize("This is a lesson.", { model: "voice", output: { encoding: "mp3" } }).save(join(folder, "lesson.mp3"));
  client.close();
  writeFileSync(join(folder, "microphone.pcm"), new Uint8Array(64_000));
  for (const version of [20, 22, 24]) {
    const node = resolve(`node_modules/node${version}-${arch()}/bin/node`);
    for (const kind of ["mjs", "cjs"]) {
      rmSync(join(folder, "hello.wav"), { force: true });
      const out = await run(`examples in Node.js ${version}, ${kind}`, node, [resolve(`examples.${kind}`)], {
        cwd: folder,
        env: { ...process.env, MODELGATEWAY_ADDR: server.grpc },
      });
      const absent = ["64000 bytes", "MODEL_NOT_FOUND"].filter((text) => !out?.includes(text));
      report(`output in Node.js ${version}, ${kind}`, absent.length === 0 && statSync(join(folder, "hello.wav")).size > 44 ? undefined : `${absent} is not in:\n${out}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
  await server.stop();
}
