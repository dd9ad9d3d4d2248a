// How well a text was read: a heat map of its words and sounds.

import { useState } from "preact/hooks";
import {
  type PronouncedUnit, type PronouncedWord, PronunciationErrorType, type PronunciationResponse, PronunciationUnit,
} from "../../../gen/ts/modelgateway/v1/pronunciation_pb.js";
import { seconds } from "../api.js";
import { formatNumber, t } from "../i18n.js";
import { soundOf, tipFor } from "../phonemes.js";
import type { TimedWord } from "./wave.js";

type Tone = "good" | "fair" | "poor" | "none";

/** The band of a score. A word below 60 counts as mispronounced. */
export function tone(score: number): Tone {
  return score >= 80 ? "good" : score >= 60 ? "fair" : "poor";
}

function toneOf(word: PronouncedWord): Tone {
  return word.errorType === PronunciationErrorType.UNSPECIFIED ? "none" : tone(word.score);
}

export function timedWords(answer: PronunciationResponse): TimedWord[] {
  return answer.words.filter((w) => w.start && w.end).map((w) => ({ text: w.text, start: seconds(w.start), end: seconds(w.end), tone: toneOf(w) }));
}

export function HeatMap({ answer }: { answer: PronunciationResponse }) {
  const worst = answer.words.filter((w) => w.units.length > 0).sort((a, b) => a.score - b.score)[0];
  const [chosen, setChosen] = useState<PronouncedWord>();
  const shown = chosen && answer.words.includes(chosen) ? chosen : worst;
  const phonemes = answer.unit === PronunciationUnit.PHONEME;
  return (
    <div class="heat">
      <dl class="scores">
        <Score name={t("score.overall")} value={answer.overallScore} large />
        <Score name={t("score.accuracy")} value={answer.accuracyScore} />
        <Score name={t("score.fluency")} value={answer.fluencyScore} />
        <Score name={t("score.completeness")} value={answer.completenessScore} />
      </dl>
      <ul class="heat-words" aria-label={t("heat.words")}>
        {answer.words.map((word) => (
          <li>
            <button type="button" class={"heat-word " + toneOf(word)} aria-pressed={word === shown} onClick={() => setChosen(word)}>
              <span lang="en">{word.text}</span>
              <small>{label(word)}</small>
            </button>
          </li>
        ))}
      </ul>
      <p class="legend hint">
        <span class="key good">{t("heat.good")}</span>
        <span class="key fair">{t("heat.fair")}</span>
        <span class="key poor">{t("heat.poor")}</span>
      </p>
      {shown && <Units word={shown} phonemes={phonemes} />}
    </div>
  );
}

function label(word: PronouncedWord): string {
  switch (word.errorType) {
    case PronunciationErrorType.UNSPECIFIED:
      return t("heat.unscored");
    case PronunciationErrorType.OMISSION:
      return t("heat.omitted");
    case PronunciationErrorType.INSERTION:
      return t("heat.inserted");
    default:
      return formatNumber(word.score);
  }
}

function Score({ name, value, large }: { name: string; value: number; large?: boolean }) {
  return (
    <div class={"score " + tone(value) + (large ? " large" : "")}>
      <dt>{name}</dt>
      <dd>{formatNumber(value)}</dd>
    </div>
  );
}

/** The sounds of a word, what was heard instead, and how to say the worst of them. */
function Units({ word, phonemes }: { word: PronouncedWord; phonemes: boolean }) {
  if (word.units.length === 0) return null;
  return (
    <div class="units" role="group" aria-label={t("heat.sounds", { word: word.text })}>
      <h3>{t(phonemes ? "heat.sounds" : "heat.letters", { word: word.text })}</h3>
      <ol>
        {word.units.map((unit) => (
          <li class={"unit " + tone(unit.score)}>
            <b lang="en">{phonemes ? soundOf(unit.symbol) : unit.symbol}</b>
            <span>{formatNumber(unit.score)}</span>
            <small>{unit.heard ? t("heat.heard", { sound: phonemes ? soundOf(unit.heard) : unit.heard }) : ""}</small>
          </li>
        ))}
      </ol>
      <Tip units={word.units} phonemes={phonemes} />
    </div>
  );
}

function Tip({ units, phonemes }: { units: readonly PronouncedUnit[]; phonemes: boolean }) {
  const tip = phonemes ? tipFor(units) : undefined;
  return tip ? <p class="tip">{t(tip)}</p> : null;
}
