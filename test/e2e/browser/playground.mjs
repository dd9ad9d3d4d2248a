// Uses the playground in a browser as a person does.
//
// Usage: node playground.mjs BROWSER PROGRAM PAGE_URL SCENARIO OPTIONS_AS_JSON
// Options: clip (a WAV file that the microphone plays once), shots (a folder for
// screenshots), patience (for one event, in milliseconds). Prints what it saw as JSON;
// output of the browser goes to standard error.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import { launch } from "./browsers.mjs";
import { scenarios } from "./scenarios.mjs";

const [browserName, program, url, name, given] = process.argv.slice(2);
const options = JSON.parse(given);
const patience = options.patience ?? 5 * 60_000; // ends a test that hangs

const browser = await launch(browserName, program, { clip: options.clip, once: true });

/** What must not happen: requests to other origins, errors of the page, violations of its policy, and what axe finds. */
const seen = { foreign: [], errors: [], violations: [] };

/** Opens the page in a window. Firefox's driver cannot set colours and motion. */
async function open({ width = 1280, height = 900, dark = false, language = "en", tab = "lesson", reducedMotion = false, key = "" } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: dark ? "dark" : "light", locale: language === "vi" ? "vi-VN" : "en-GB",
    reducedMotion: reducedMotion ? "reduce" : "no-preference", permissions: ["microphone", "clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(patience);
  const note = (address) => {
    const { protocol, host } = new URL(address);
    if (!["blob:", "data:"].includes(protocol) && host !== new URL(url).host) seen.foreign.push(address);
  };
  context.on("request", (request) => note(request.url()));
  const page = await context.newPage();
  page.on("websocket", (socket) => note(socket.url()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("console", (message) => {
    console.error(message.text());
    // A browser reports every refused call as an error of the console; the scenarios know which they expect.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) seen.errors.push(message.text());
  });
  if (key) await page.addInitScript((value) => sessionStorage.setItem("modelgateway.key", value), key);
  await page.goto(`${url}/ui/#/${tab}`);
  await page.locator(".tab:not([hidden]) h1").waitFor();
  return page;
}

/** Checks that nothing is wider than the window, and the page with axe: in one browser, as it is the same page in all. */
async function check(page, where) {
  if (browserName === "chromium") await judge(page, where);
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (excess > 0) seen.violations.push(`${where}: ${excess} pixels wider than the window`);
}

/** Checks the page with axe. */
async function judge(page, where) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of found.violations) {
    if (impact === "serious" || impact === "critical") seen.violations.push(`${where}: ${id}: ${nodes.map((n) => n.target.join(" ")).slice(0, 3).join("; ")}`);
  }
}

/** Takes a screenshot, by default of the whole page, if the caller wants any. */
async function shot(page, file, part = { fullPage: true }) {
  // In Firefox, Playwright would add a style to the page, which the page's policy forbids.
  if (!options.shots || browserName !== "chromium") return;
  await mkdir(options.shots, { recursive: true });
  if (part.fullPage) await page.evaluate(() => scrollTo(0, 0)); // what is sticky would be in the middle
  await page.screenshot({ path: join(options.shots, file + ".png"), ...part, animations: "disabled" });
}

/** Returns the name of the file that an action saves. */
async function saved(page, act) {
  if (browserName === "chromium") return (await Promise.all([page.waitForEvent("download"), act()]))[0].suggestedFilename();
  // Firefox reports downloads of a blob without an id, and Playwright leaves them out.
  await page.evaluate(() => {
    const { click } = HTMLAnchorElement.prototype;
    HTMLAnchorElement.prototype.click = function () {
      window.saved = this.download;
      click.call(this);
    };
  });
  await act();
  return await page.evaluate(() => window.saved);
}

try {
  const result = await scenarios[name]({ open, check, saved, shot, options });
  console.log(JSON.stringify({ ...seen, ...result }));
} finally {
  await browser.close();
}
