// Runs headless Firefox until standard input ends, even while it starts, and prints an address for `launch` of browsers.mjs.
// Firefox starts slowly, so all tests use one; each page has its own storage.
//
// Usage: node firefox.mjs EXECUTABLE

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { firefox } from "playwright-core";

const folder = await mkdtemp(join(tmpdir(), "sound-"));
const socket = join(folder, "socket");
let sound, server;
process.stdin.resume();
try {
  await Promise.race([once(process.stdin, "end"), serve()]);
} finally {
  sound?.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  await server?.close();
}
process.exit(); // ends a Firefox that is still starting

/** Runs Firefox, and ends only if it cannot be started. */
async function serve() {
  await startSound();
  // The channel is what Playwright calls a Firefox as people have it, driven by WebDriver BiDi. Playwright 1.65 sends a command
  // (emulation.setMediaFeaturesOverride) that Debian's Firefox 153 does not know; update both together.
  server = await firefox.launchServer({
    executablePath: process.argv[2],
    channel: "moz-firefox",
    timeout: 0, // whoever waits for the address closes standard input
    env: { ...process.env, PULSE_SERVER: `unix:${socket}` },
    firefoxUserPrefs: {
      // A microphone that hears a tone, and that every page may use.
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.autoplay.default": 0,
      "dom.events.testing.asyncClipboard": true, // pages may read the clipboard, and nobody is asked
    },
  });
  console.log(server.wsEndpoint());
  await new Promise(() => {});
}

/** Firefox plays and records nothing on a machine without a sound device: this is one that nobody hears. */
async function startSound() {
  sound = spawn(
    "pulseaudio",
    [
      "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "--log-level=info",
      "-L", "module-null-sink", "-L", `module-native-protocol-unix socket=${socket} auth-anonymous=1`,
    ],
    { env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder, LC_ALL: "C" }, stdio: ["ignore", "ignore", "pipe"] },
  );
  const log = createInterface(sound.stderr);
  await new Promise((resolve, reject) => {
    log.on("line", (line) => line.includes("Daemon startup complete") && resolve());
    sound.on("error", reject);
    sound.on("exit", (code) => reject(new Error(`pulseaudio: exit code ${code}`)));
  });
}
