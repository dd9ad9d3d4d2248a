// Packs the client, installs the file as a user does, and writes the examples of its README as programs and pages:
//
//   build/examples/N.mjs, N.cjs, N.mts    for Node.js: ESM, CommonJS, TypeScript
//   build/vite, build/webpack             for browsers: one page with all examples
//   build/size                            everything that the entry for the web exports, in one file

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { build as vite } from "vite";
import webpack from "webpack";

process.chdir(import.meta.dirname);
rmSync("build", { recursive: true, force: true });
mkdirSync("build/examples", { recursive: true });
mkdirSync("build/pages");

const npm = (...args) => execFileSync("npm", [...args, "--loglevel=error"], { encoding: "utf8" });
const [{ filename }] = JSON.parse(npm("pack", "../../../clients/node", "--pack-destination", "build", "--json"));
npm("install", "--no-save", "--offline", "--no-audit", "--no-fund", `./build/${filename}`);
copyFileSync(`build/${filename}`, "build/package.tgz");

const readme = readFileSync("../../../clients/node/README.md", "utf8");
const examples = Array.from(readme.matchAll(/^```js\n(.*?)^```$/gms), ([, text]) => text);
const pages = examples.filter((text) => text.includes('modelgateway/web"'));
const programs = examples.filter((text) => !pages.includes(text));

for (const [number, text] of programs.entries()) {
  const imports = /^import (\{.*?\}) from (".*?");$/gm;
  const required = text.replace(imports, "const $1 = require($2);");
  writeFileSync(`build/examples/${number}.mjs`, text);
  writeFileSync(`build/examples/${number}.mts`, text);
  writeFileSync(`build/examples/${number}.cjs`, `module.exports = (async () => {\n${required}\n})();\n`);
}

// What the examples for browsers use of their page.
const globals = "declare const stopButton: HTMLButtonElement;\ndeclare function show(text: string): void;\n";
for (const [number, text] of pages.entries()) {
  writeFileSync(`build/pages/${number}.js`, text);
  writeFileSync(`build/pages/${number}.ts`, `${globals}${text}`);
}
writeFileSync(
  "build/pages/main.js",
  `const examples = [${pages.map((_, number) => `() => import("./${number}.js")`)}];
const shown = [];
let stopped;
window.show = (text) => shown.push(text);
// Is clicked two seconds after it got its handler.
window.stopButton = {
  set onclick(click) {
    stopped = new Promise((resolve) => setTimeout(resolve, 2000)).then(click);
  },
};
window.runExamples = async () => {
  const all = [];
  for (const example of examples) {
    await example();
    await stopped;
    all.push(shown.splice(0));
  }
  return all;
};\n`,
);
writeFileSync("build/pages/all.js", 'export * from "@lexilingo/modelgateway/web";\n');

await vite({
  configFile: false,
  logLevel: "warn",
  publicDir: false,
  build: { lib: { entry: resolve("build/pages/main.js"), formats: ["es"], fileName: "main" }, outDir: resolve("build/vite") },
});
const packed = (entry, folder, more) =>
  new Promise((done, fail) =>
    webpack({ mode: "production", entry: resolve(entry), ...more, output: { path: resolve(folder), filename: "main.js", ...more?.output } }, (error, stats) =>
      error || stats.hasErrors() ? fail(error ?? new Error(stats.toString())) : done(),
    ),
  );
await packed("build/pages/main.js", "build/webpack");
await packed("build/pages/all.js", "build/size", { experiments: { outputModule: true }, output: { library: { type: "module" } } });
for (const kind of ["vite", "webpack"]) {
  writeFileSync(`build/${kind}/index.html`, '<!doctype html>\n<meta charset="utf-8">\n<title>Examples</title>\n<script type="module" src="main.js"></script>\n');
}
