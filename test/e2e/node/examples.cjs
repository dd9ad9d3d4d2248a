// Runs the examples of the README, as CommonJS modules.

const { readdirSync } = require("node:fs");
const { join } = require("node:path");

(async () => {
  const folder = join(__dirname, "build/examples");
  for (const name of readdirSync(folder)) if (name.endsWith(".cjs")) await require(join(folder, name));
})();
