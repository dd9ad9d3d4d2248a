// Opens a page in headless Chromium and calls a function of page.ts there.
//
// Usage: node drive.mjs CHROMIUM PAGE_URL FUNCTION ARGUMENTS_AS_JSON
// Prints the result of the function as JSON. Output of the browser goes to
// standard error.

import { chromium } from "playwright-core";

const [executablePath, url, name, args] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox", // tests run as root in containers
    "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
  ],
});
try {
  const page = await browser.newPage();
  page.on("console", (message) => console.error(message.text()));
  page.on("pageerror", (error) => console.error(error));
  await page.goto(url);
  const result = await page.evaluate(([name, args]) => window[name](...args), [name, JSON.parse(args)]);
  console.log(JSON.stringify(result));
} finally {
  await browser.close();
}
