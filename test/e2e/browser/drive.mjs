// Opens a page in a browser and calls a function of page.ts or client.ts there.
//
// Usage: node drive.mjs BROWSER PROGRAM PAGE_URL FUNCTION ARGUMENTS_AS_JSON
// The microphone hears the recording of MG_MICROPHONE again and again. Prints the
// result of the function as JSON. Output of the browser goes to standard error.

import { launch } from "./browsers.mjs";

const [name, program, url, call, args] = process.argv.slice(2);
const browser = await launch(name, program, { clip: process.env.MG_MICROPHONE });
try {
  const page = await (await browser.newContext()).newPage();
  page.on("console", (message) => console.error(message.text()));
  page.on("pageerror", (error) => console.error(error));
  await page.goto(url);
  const result = await page.evaluate(([call, args]) => window[call](...args), [call, JSON.parse(args)]);
  console.log(JSON.stringify(result));
} finally {
  await browser.close();
}
