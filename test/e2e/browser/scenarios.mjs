// What a person does on the playground; see playground.mjs.

const tabs = ["lesson", "chat", "grammar", "speak", "voice", "pronounce", "memory", "requests"];

/** Finds what the tab that is shown has; the others keep what they had. */
const shown = (page, selector, options) => page.locator(".tab:not([hidden])").locator(selector, options);
const text = (page, selector) => shown(page, selector).first().innerText();
const goTo = async (page, tab) => {
  await page.locator(`nav a[href="#/${tab}"]`).click();
  await page.waitForFunction((name) => location.hash === "#/" + name && document.querySelector(".tab:not([hidden]) h1"), tab);
};

/** Waits until the person has stopped to hear: the microphone plays its clip once, then silence. */
async function speakInto(page, button, seconds) {
  await button.click();
  await page.waitForFunction((s) => parseFloat(document.querySelector(".mic.on .seconds")?.textContent ?? "0") >= s, seconds);
  await button.click();
}

/** Every tab does its job with a real model. */
async function jobs({ open, check, saved, shot, options }) {
  const page = await open({ tab: "chat", dark: true, width: 360 });
  const result = {};

  await page.getByLabel("Your message").fill("Hello, how are you?");
  await page.keyboard.press("Enter");
  await shown(page, ".served").waitFor();
  result.chat = (await text(page, ".bubble.model")).replace(/^Model:\s*/, "");
  await check(page, "chat");
  await shot(page, "chat");
  await page.getByText("Tutor", { exact: true }).click();
  await page.getByLabel("Your message").fill("I like play football.");
  await page.getByRole("button", { name: "Send" }).click();
  await shown(page, ".served").waitFor();
  result.tutor = (await text(page, ".bubble.model")).replace(/^Model:\s*/, "");

  await goTo(page, "grammar");
  await page.getByRole("button", { name: "She have two book." }).click();
  await shown(page, ".edits li").first().waitFor();
  result.deleted = await shown(page, "del").allInnerTexts();
  result.inserted = await shown(page, "ins").allInnerTexts();
  await check(page, "grammar");
  await shot(page, "grammar");

  await goTo(page, "voice");
  await page.getByLabel("Text to read aloud").fill("Good morning! How are you today?");
  await page.getByLabel("Find the times of words").check();
  await page.getByRole("button", { name: "Read aloud" }).click();
  await shown(page, ".wave").waitFor();
  result.voice = await text(page, ".served");
  await check(page, "voice");
  await shot(page, "voice");
  result.saved = await saved(page, () => page.getByRole("button", { name: "Save as WAV" }).click());

  await goTo(page, "speak");
  await shown(page, "input[type=file]").setInputFiles(options.clip);
  await shown(page, ".wave-word").first().waitFor();
  result.transcript = await text(page, ".sentence");
  result.words = await shown(page, ".wave-word").count();
  await check(page, "speak");
  await shot(page, "speak");

  await goTo(page, "pronounce");
  await page.getByLabel("Text to read", { exact: true }).fill(options.text);
  await shown(page, "input[type=file]").setInputFiles(options.clip);
  await shown(page, ".heat-word").first().waitFor();
  result.scored = await shown(page, ".heat-word").count();
  await shown(page, ".heat-word").nth(1).click();
  result.units = await shown(page, ".unit").count();
  await check(page, "pronounce");
  await shot(page, "pronounce");

  await goTo(page, "requests");
  result.requests = await shown(page, ".request").count();
  await shown(page, ".request", { hasText: "Grammar" }).getByRole("button", { name: "curl" }).click();
  result.curl = await page.evaluate(() => navigator.clipboard.readText());
  await shown(page, ".request", { hasText: "Grammar" }).getByRole("button", { name: "Node" }).click();
  result.node = await page.evaluate(() => navigator.clipboard.readText());
  await check(page, "requests");
  await shot(page, "requests");
  return result;
}

/** Returns the card of a model, which is unloaded if it was loaded. */
async function unloaded(page, name) {
  const card = shown(page, ".model", { hasText: name });
  const unload = card.getByRole("button", { name: "Unload", exact: true });
  await card.getByRole("button", { name: /^(Load|Unload)$/ }).waitFor();
  if (await unload.isVisible()) await unload.click();
  await card.locator(".state.unloaded").waitFor();
  return card;
}

/** Loads, plans and unloads a model, and follows what happens. */
async function memory({ open, check, shot }) {
  const page = await open({ tab: "memory" });
  const card = await unloaded(page, "piper");
  await card.getByRole("button", { name: "What would loading do?" }).click();
  const plan = await card.locator(".plan").innerText();
  await card.getByRole("button", { name: "Load", exact: true }).click();
  await card.locator(".state.ready").waitFor();
  await shown(page, ".bar span").first().waitFor();
  const held = await text(page, ".budget-sum b");
  await shown(page, ".events .state.ready").first().waitFor();
  await check(page, "memory");
  await shot(page, "memory");
  await card.getByRole("button", { name: "Unload", exact: true }).click();
  await card.locator(".state.unloaded").waitFor();
  await shown(page, ".events", { hasText: "somebody asked for it" }).waitFor();
  return { plan, held, events: await shown(page, ".events li").count() };
}

/** Takes the lesson by microphone to its end, and reads the corrected sentence. */
async function lesson({ open, check, shot, options }) {
  const page = await open();
  await shot(page, "lesson-start");
  await speakInto(page, shown(page, ".mic").first(), options.seconds);
  const done = ["heard", "corrected", "reply", "spoken", "scored", "practice"];
  for (const step of done) await shown(page, `[data-step="${step}"][data-state="done"]`).waitFor();
  const result = {
    heard: await text(page, '[data-step="heard"] .sentence'),
    corrected: await text(page, '[data-step="corrected"] .sentence'),
    reply: await text(page, '[data-step="reply"] .sentence'),
    wave: await shown(page, '[data-step="spoken"] .wave').count(),
    scored: await shown(page, '[data-step="scored"] .heat-word').count(),
  };
  await check(page, "lesson");
  await shot(page, "lesson");
  const practice = shown(page, '[data-step="practice"]');
  await speakInto(page, practice.locator(".mic"), 1);
  await practice.locator(".heat-word, .error").first().waitFor();
  await page.locator(".top").getByLabel("Language").selectOption("vi");
  await shot(page, "lesson-vi");
  return { ...result, practised: await practice.locator(".heat-word").count() };
}

/** Takes the lesson without a microphone: the voice says the sentence. */
async function sample({ open, shot }) {
  const page = await open();
  await page.getByRole("button", { name: "Let the voice say" }).click();
  for (const step of ["heard", "corrected", "reply", "spoken", "scored"]) await shown(page, `[data-step="${step}"][data-state="done"]`).waitFor();
  const result = { heard: await text(page, '[data-step="heard"] .sentence'), reply: await text(page, '[data-step="reply"] .sentence') };
  await shot(page, "lesson-sample");
  await goTo(page, "requests");
  return { ...result, requests: await shown(page, ".request .outcome.done").count() };
}

/** Shows every tab so that each pair of language and width is seen, in both colours. */
async function looks({ open, check, shot, options }) {
  const titles = {};
  for (const [language, dark, width] of options.windows) {
    const page = await open({ language, dark, width, height: 800, reducedMotion: true });
    for (const tab of tabs) {
      await goTo(page, tab);
      const name = [tab, language, dark ? "dark" : "light", width].join("-");
      await check(page, name);
      await shot(page, name);
      titles[name] = await page.title();
    }
    await page.context().close();
  }
  return { titles };
}

/** Makes the pictures of the README: parts of the page, without the times, which are those of the machine. */
async function pictures({ open, shot, options }) {
  const done = ["heard", "corrected", "reply", "spoken", "scored"];
  const withoutTimes = (page) => page.evaluate(() => document.querySelectorAll(".served").forEach((line) => line.remove()));
  const lesson = async (settings, button, name) => {
    const page = await open({ width: 1000, height: 700, ...settings });
    await page.getByRole("button", { name: button }).click();
    for (const step of done) await shown(page, `[data-step="${step}"][data-state="done"]`).waitFor();
    await shown(page, '[data-step="practice"]').waitFor(); // the voice has ended
    await page.mouse.move(0, 0);
    await withoutTimes(page);
    const end = await shown(page, '[data-step="reply"]').boundingBox();
    await shot(page, name, { fullPage: true, clip: { x: 0, y: 0, width: 1000, height: Math.round(end.y + end.height + 16) } });
    return page;
  };
  await lesson({ language: "vi" }, "Để giọng máy đọc", "lesson-vi");
  const page = await lesson({}, "Let the voice say", "lesson");

  await goTo(page, "memory");
  await shown(page, ".model", { hasText: "qwen" }).getByRole("button", { name: "Unload" }).click();
  await shown(page, ".events", { hasText: "somebody asked for it" }).waitFor();
  await page.mouse.move(0, 0);
  await shot(page, "memory", { fullPage: true, clip: { x: 0, y: 0, width: 1000, height: 582 } });

  await goTo(page, "pronounce");
  await shown(page, "input[type=file]").setInputFiles(options.clip);
  await shown(page, ".heat-word").first().waitFor();
  await withoutTimes(page);
  const card = shown(page, ".card", { has: page.locator(".heat") });
  await card.scrollIntoViewIfNeeded();
  await shot(page, "pronunciation", { clip: await card.boundingBox() });
  return {};
}

/** Uses only the keyboard. */
async function keyboard({ open, options }) {
  const page = await open();
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
  const tabTo = async (wanted) => {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      if ((await focused()).startsWith(wanted)) return presses;
    }
    throw new Error(`Tab does not reach ${wanted}`);
  };
  await page.keyboard.press("Tab");
  const first = await focused();
  await tabTo("Grammar");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.tagName === "H1");
  await page.keyboard.press("Tab");
  await page.keyboard.type("She have two book.");
  await page.keyboard.press("Control+Enter");
  await shown(page, ".edits li").first().waitFor();
  const deleted = await shown(page, "del").allInnerTexts();

  // The space bar held is push-to-talk.
  await page.locator('nav a[href="#/speak"]').focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.tagName === "H1");
  await page.keyboard.press("Tab");
  await page.keyboard.down(" ");
  await page.waitForFunction((s) => parseFloat(document.querySelector(".mic.on .seconds")?.textContent ?? "0") >= s, options.seconds);
  await page.keyboard.up(" ");
  // Whether the starter understands what a microphone hears is not the page's matter.
  return { first, deleted, transcribed: await text(page, ".card .served") };
}

/** A server that needs a key: the page asks for it. */
async function key({ open, shot, options }) {
  const page = await open({ tab: "memory" });
  await shown(page, ".error").getByRole("button").waitFor();
  await shot(page, "key");
  await shown(page, ".error").getByRole("button").click();
  await page.getByLabel("Key or token").fill(options.key);
  await page.getByRole("button", { name: "Use it" }).click();
  await shown(page, ".budget-sum").waitFor();
  await goTo(page, "speak");
  await shown(page, "input[type=file]").setInputFiles(options.clip);
  await shown(page, ".card .served").waitFor();
  await speakInto(page, shown(page, ".mic"), 1);
  await shown(page, ".card .served, .error").first().waitFor();
  return { refused: await shown(page, ".error").allInnerTexts() };
}

/** Follows many events a second, and stays of a bounded size and quick to answer. */
async function flood({ open, options }) {
  const page = await open({ tab: "memory" });
  await page.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e) => (window.longest = Math.max(window.longest, e.duration)))).observe({ type: "longtask" });
    window.changes = 0;
    new MutationObserver(() => window.changes++).observe(document.querySelector("main"), { childList: true, subtree: true });
  });
  await page.waitForFunction(
    (n) => Number(document.querySelector(".events")?.previousElementSibling?.textContent.replace(/\D/g, "") ?? 0) >= n,
    options.events,
  );
  const rows = await shown(page, ".events li").count();
  const card = await unloaded(page, "piper");
  const began = Date.now();
  await card.getByRole("button", { name: "What would loading do?" }).click();
  await shown(page, ".plan").waitFor();
  const answered = Date.now() - began;
  return { rows, answered, ...(await page.evaluate(() => ({ longest: window.longest, changes: window.changes }))) };
}

/** Measures how long the page takes to show itself. */
async function load({ open }) {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const page = await open();
    times.push(await page.evaluate(() => Math.round(performance.getEntriesByType("paint").find((e) => e.name === "first-contentful-paint").startTime)));
    await page.context().close();
  }
  return { times };
}

export const scenarios = { jobs, memory, lesson, sample, pictures, looks, keyboard, key, flood, load };
