// The page: its head, its tabs, and the one that is shown.

import { type ComponentType, render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { apiKey } from "./api.js";
import { stopPlaying } from "./audio/player.js";
import { type Key, type Language, formatBytes, language, setLanguage, t, useLanguage } from "./i18n.js";
import { keep, recall, useStore } from "./store.js";
import { Chat } from "./tabs/chat.js";
import { Grammar } from "./tabs/grammar.js";
import { Lesson } from "./tabs/lesson.js";
import { Memory } from "./tabs/memory.js";
import { Pronounce } from "./tabs/pronounce.js";
import { Requests } from "./tabs/requests.js";
import { Speak } from "./tabs/speak.js";
import { Voice } from "./tabs/voice.js";
import { KeyDialog, askForKey } from "./ui/key.js";
import { refresh, startWatching, watched } from "./watch.js";

const tabs: Record<string, ComponentType> = {
  lesson: Lesson, chat: Chat, grammar: Grammar, speak: Speak, voice: Voice, pronounce: Pronounce, memory: Memory, requests: Requests,
};

/** Tabs that keep what a person did there while another one is shown. The others show what is kept elsewhere. */
const lasting = new Set(["lesson", "chat", "grammar", "speak", "voice", "pronounce"]);

const chosen = () => {
  const name = location.hash.replace(/^#\/?/, "");
  return name in tabs ? name : "lesson";
};

const heading = () => document.querySelector<HTMLElement>(".tab:not([hidden]) h1");

function Page() {
  useLanguage();
  const [tab, setTab] = useState(chosen);
  const visited = useRef(new Set<string>());
  const moved = useRef(false);
  visited.current.add(tab);
  useEffect(() => {
    const change = () => {
      stopPlaying();
      void refresh();
      setTab(chosen());
    };
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  useEffect(() => {
    document.documentElement.lang = language.value;
    document.title = `${t(`tab.${tab}` as Key)} – ModelGateway`;
  });
  useEffect(() => {
    if (!moved.current) {
      moved.current = true; // the page has just been opened
      return;
    }
    // A screen reader reads the heading; the keyboard goes on from there.
    heading()?.focus({ preventScroll: true });
    scrollTo(0, 0);
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [tab]);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), heading()?.focus())}>
        {t("page.skip")}
      </a>
      <Head />
      <nav aria-label={t("page.tabs")}>
        {Object.keys(tabs).map((name) => (
          <a href={"#/" + name} aria-current={name === tab ? "page" : undefined}>
            {t(`tab.${name}` as Key)}
          </a>
        ))}
      </nav>
      <main id="main">
        {Object.entries(tabs).map(
          ([name, Tab]) =>
            (name === tab || (lasting.has(name) && visited.current.has(name))) && (
              <div class="tab" key={name} hidden={name !== tab}>
                <Tab />
              </div>
            ),
        )}
      </main>
      <KeyDialog />
    </>
  );
}

function Head() {
  const { status, error } = useStore(watched);
  const key = useStore(apiKey);
  const loaded = status?.models.filter((m) => Number(m.memory?.chargedBytes ?? 0) > 0).length ?? 0;
  const state = error ? "down" : status ? "up" : "unknown";
  return (
    <header class="top">
      <a class="brand" href="#/lesson">
        Model<b>Gateway</b>
      </a>
      <p class="health">
        <span class={"dot " + state} aria-hidden="true" />
        {error && !status
          ? t(error.reason === "UNAUTHENTICATED" ? "head.key" : error.reason === "FORBIDDEN" ? "head.forbidden" : "head.down")
          : status
            ? t("head.status", { n: loaded, used: formatBytes(status.memoryUsedBytes), budget: formatBytes(status.memoryBudgetBytes) })
            : t("head.asking")}
      </p>
      <div class="controls">
        {(key || error?.reason === "UNAUTHENTICATED" || error?.reason === "FORBIDDEN") && (
          <button type="button" class="small" onClick={askForKey}>
            {t("key.enter")}
          </button>
        )}
        <Choice label={t("head.language")} value={language.value} options={{ en: "English", vi: "Tiếng Việt" }} onChange={(to) => setLanguage(to as Language)} />
        <Theme />
      </div>
    </header>
  );
}

function Choice({ label, value, options, onChange }: { label: string; value: string; options: Record<string, string>; onChange: (to: string) => void }) {
  return (
    <select class="small" aria-label={label} value={value} onChange={(e) => onChange(e.currentTarget.value)}>
      {Object.entries(options).map(([code, name]) => (
        <option value={code}>{name}</option>
      ))}
    </select>
  );
}

function Theme() {
  const [theme, setTheme] = useState(recall("theme") || "auto");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    keep("theme", theme);
  }, [theme]);
  const options = { auto: t("theme.auto"), light: t("theme.light"), dark: t("theme.dark") };
  return <Choice label={t("head.theme")} value={theme} options={options} onChange={setTheme} />;
}

startWatching();
render(<Page />, document.body);
