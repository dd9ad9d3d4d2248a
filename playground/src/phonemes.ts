// Phonemes of English, and what helps a Vietnamese learner with them.

import type { PronouncedUnit } from "../../gen/ts/modelgateway/v1/pronunciation_pb.js";
import type { Key } from "./i18n.js";

/** The symbols of CMUdict in the alphabet of dictionaries. */
const ipa: Record<string, string> = {
  AA: "ɑ", AE: "æ", AH: "ʌ", AO: "ɔ", AW: "aʊ", AY: "aɪ", B: "b", CH: "tʃ", D: "d", DH: "ð", EH: "e", ER: "ɜr", EY: "eɪ", F: "f",
  G: "ɡ", HH: "h", IH: "ɪ", IY: "iː", JH: "dʒ", K: "k", L: "l", M: "m", N: "n", NG: "ŋ", OW: "oʊ", OY: "ɔɪ", P: "p", R: "r", S: "s",
  SH: "ʃ", T: "t", TH: "θ", UH: "ʊ", UW: "uː", V: "v", W: "w", Y: "j", Z: "z", ZH: "ʒ",
};

const vowels = new Set(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"]);

/** Returns a phoneme between slashes. */
export function soundOf(symbol: string): string {
  return `/${ipa[symbol.replace(/\d$/, "")] ?? symbol}/`;
}

/** Tips for sounds that Vietnamese lacks or that are easily confused. */
const tips: Record<string, Key> = {
  TH: "tip.th", DH: "tip.dh", SH: "tip.sh", ZH: "tip.sh", CH: "tip.ch", JH: "tip.ch", R: "tip.r", L: "tip.l", V: "tip.v", W: "tip.v",
  Z: "tip.z", IH: "tip.short", IY: "tip.short", UH: "tip.short", UW: "tip.short", AE: "tip.ae", EH: "tip.ae", P: "tip.puff", T: "tip.puff", K: "tip.puff",
};

/** Returns the key of a tip for the worst sound of a word; undefined if all are good. */
export function tipFor(units: readonly PronouncedUnit[]): Key | undefined {
  const worst = units.reduce((low, unit) => (unit.score < low.score ? unit : low));
  if (worst.score >= 60) return undefined;
  const at = units.indexOf(worst);
  const isConsonant = (i: number) => i >= 0 && i < units.length && !vowels.has(units[i]!.symbol.replace(/\d$/, ""));
  const symbol = worst.symbol.replace(/\d$/, "");
  const last = at === units.length - 1;
  if (last && at > 0 && (symbol === "S" || symbol === "Z")) return "tip.final_s";
  if (isConsonant(at) && (isConsonant(at - 1) || isConsonant(at + 1))) return "tip.cluster";
  if (last && at > 0 && isConsonant(at)) return "tip.final";
  return tips[symbol] ?? "tip.listen";
}
