// Starts the browsers of the tests, headless and with a microphone.

import { readFile } from "node:fs/promises";
import { chromium, firefox } from "playwright-core";

const starters = {
  // The microphone hears the clip.
  chromium: (executablePath, { clip, once }) =>
    chromium.launch({
      executablePath,
      args: [
        "--no-sandbox", // tests run as root in containers
        "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
        "--autoplay-policy=no-user-gesture-required",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        ...(clip ? [`--use-file-for-fake-audio-capture=${clip}${once ? "%noloop" : ""}`] : []),
      ],
    }),
  // Its microphone hears a tone only; see `speak`.
  firefox: (address) => firefox.connect(address),
};

/**
 * Starts a browser whose microphone hears a clip: again and again, or once. program is the path of "chromium", or the address
 * of a running "firefox" (see firefox.mjs).
 */
export async function launch(name, program, { clip, once = false } = {}) {
  const browser = await starters[name](program, { clip, once });
  const recording = name === "firefox" && clip ? { base64: (await readFile(clip)).toString("base64"), loop: !once } : undefined;
  return {
    newContext: async (options) => {
      const context = await browser.newContext(name === "firefox" ? { ...options, permissions: undefined } : options);
      if (recording) await context.addInitScript(speak, recording);
      return context;
    },
    close: () => browser.close(),
  };
}

/** On a page in Firefox, replaces its microphone by one that hears a clip; deleting the new function undoes that. */
function speak({ base64, loop }) {
  if (!navigator.mediaDevices) return;
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const buffer = await context.decodeAudioData(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
    const clip = new AudioBufferSourceNode(context, { buffer, loop });
    const device = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    clip.connect(device);
    clip.start();
    return device.stream;
  };
}
