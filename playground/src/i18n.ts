// The two languages of the page.

import en from "./messages/en.json";
import vi from "./messages/vi.json";
import { Store, keep, recall, useStore } from "./store.js";

export type Language = "en" | "vi";
export type Key = keyof typeof en;

// The compiler reports a key that Vietnamese lacks.
const messages: Record<Language, Record<Key, string>> = { en, vi };

function preferred(): Language {
  const kept = recall("language");
  if (kept === "en" || kept === "vi") return kept;
  return navigator.languages[0]?.toLowerCase().startsWith("vi") ? "vi" : "en";
}

export const language = new Store<Language>(preferred());

export function setLanguage(to: Language): void {
  keep("language", to);
  language.set(to);
}

/** Returns a text in the page's language; {name} stands for a value. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return messages[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Returns the text of a value of an enum, or its name if there is none. */
export function tEnum(prefix: string, name: string): string {
  const key = `${prefix}.${name.toLowerCase()}`;
  return key in en ? t(key as Key) : name;
}

/** Draws the component again when the language changes. */
export function useLanguage(): Language {
  return useStore(language);
}

const locale = () => (language.value === "vi" ? "vi-VN" : "en-GB");

export function formatBytes(bytes: bigint | number): string {
  const mib = Number(bytes) / 2 ** 20;
  if (mib > 0 && mib < 1) return "< 1 MiB";
  if (mib >= 10_000) return formatNumber(mib / 1024, 1) + " GiB";
  return formatNumber(Math.round(mib)) + " MiB";
}

export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString(locale(), { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** Formats milliseconds: "350 ms", "2.4 s", "3 min". */
export function formatTime(ms: number): string {
  if (ms < 1000) return formatNumber(Math.round(ms)) + " ms";
  if (ms < 60_000) return formatNumber(ms / 1000, 1) + " s";
  return t("unit.minutes", { n: Math.round(ms / 60_000) });
}

export function formatClock(time: Date): string {
  return time.toLocaleTimeString(locale(), { hour12: false });
}
