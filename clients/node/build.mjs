// Builds the package: dist/esm and dist/cjs, each with its own types, and the script for the browser's audio thread.

import { spawnSync } from "node:child_process";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";

process.chdir(import.meta.dirname);

function compile(...args) {
  const { status } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", ...args], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

rmSync("dist", { recursive: true, force: true });
compile();
compile("--module", "commonjs", "--moduleResolution", "bundler", "--outDir", "dist/cjs");
writeFileSync("dist/cjs/package.json", '{"type":"commonjs"}\n');
const { worklet } = await import("./dist/esm/web/worklet.js");
writeFileSync("dist/worklet.js", worklet);
copyFileSync("../../LICENSE", "LICENSE");
