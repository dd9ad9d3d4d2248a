// Reads a text aloud.

import { useState } from "preact/hooks";
import { seconds } from "../api.js";
import { secondsOf, toWav } from "../audio/clip.js";
import { Live } from "../audio/player.js";
import { formatNumber, t, useLanguage } from "../i18n.js";
import { type Manner, type Speech, synthesize } from "../tasks.js";
import { Card, ErrorBox, Examples, ServedBy, Working, useTask } from "../ui/common.js";
import { type TimedWord, Wave } from "../ui/wave.js";

const examples = ["Good morning! How are you today?", "The train to Hanoi leaves at half past seven."];

export function Voice() {
  useLanguage();
  const task = useTask();
  const [text, setText] = useState("");
  const [speed, setSpeed] = useState(1);
  const [alignWords, setAlignWords] = useState(false);
  const [speech, setSpeech] = useState<Speech>();
  const speak = (what: string) => {
    const trimmed = what.trim();
    if (!trimmed) return;
    setSpeech(undefined);
    void task.run(async (signal) => setSpeech(await speakAloud(trimmed, { speed, alignWords }, signal)));
  };
  return (
    <>
      <h1 tabIndex={-1}>{t("tab.voice")}</h1>
      <p class="lead">{t("voice.lead")}</p>
      <Card>
        <form
          class="stack"
          onSubmit={(e) => {
            e.preventDefault();
            speak(text);
          }}
        >
          <label>
            {t("voice.text")}
            <textarea rows={3} maxLength={5000} lang="en" value={text} onInput={(e) => setText(e.currentTarget.value)} />
          </label>
          <div class="row">
            <button type="submit" class="primary" disabled={!text.trim() || task.busy}>
              {t("voice.speak")}
            </button>
            {task.busy && (
              <button type="button" onClick={task.stop}>
                {t("chat.stop")}
              </button>
            )}
            <label class="field">
              {t("voice.speed", { speed: formatNumber(speed, 2) })}
              <input type="range" min="0.5" max="2" step="0.25" value={speed} onInput={(e) => setSpeed(Number(e.currentTarget.value))} />
            </label>
            <label class="field">
              <input type="checkbox" checked={alignWords} onChange={(e) => setAlignWords(e.currentTarget.checked)} />
              {t("voice.align")}
            </label>
          </div>
        </form>
        <Examples
          texts={examples}
          onTake={(example) => {
            setText(example);
            speak(example);
          }}
        />
      </Card>
      {task.busy && <Working text={t("voice.working")} />}
      <ErrorBox error={task.error} />
      {speech && (
        <Card title={t("voice.result")}>
          <Wave clip={speech.clip} words={spokenWords(speech)} label={t("voice.wave")} />
          <div class="row spread">
            <ServedBy by={speech.servedBy} />
            <span class="row">
              <span class="hint">{t("speak.length", { time: formatNumber(secondsOf(speech.clip), 1) })}</span>
              <button type="button" class="small" onClick={() => save(speech)}>
                {t("voice.save")}
              </button>
            </span>
          </div>
        </Card>
      )}
    </>
  );
}

/** Speaks a text and plays it while it is made. */
export async function speakAloud(text: string, manner: Manner, signal: AbortSignal): Promise<Speech> {
  const player = new Live();
  signal.addEventListener("abort", () => player.stop());
  try {
    return await synthesize(text, manner, (piece) => player.push(piece), signal);
  } finally {
    player.complete();
  }
}

export function spokenWords({ words }: Speech): TimedWord[] {
  return words.map((w) => ({ text: w.text, start: seconds(w.start), end: seconds(w.end) }));
}

function save(speech: Speech): void {
  const url = URL.createObjectURL(toWav(speech.clip).toBlob());
  const link = document.createElement("a");
  link.href = url;
  link.download = "speech.wav";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
