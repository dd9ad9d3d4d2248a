// Runs the examples of the README, as ES modules.

import { readdirSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "build/examples");
for (const name of readdirSync(folder)) if (name.endsWith(".mjs")) await import(join(folder, name));
