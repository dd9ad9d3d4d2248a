// Scores how a text was read aloud.

import { useState } from "preact/hooks";
import type { PronunciationResponse } from "../../../gen/ts/modelgateway/v1/pronunciation_pb.js";
import type { Clip } from "../audio/clip.js";
import { t, useLanguage } from "../i18n.js";
import { pronunciation } from "../tasks.js";
import { Card, ErrorBox, Examples, ServedBy, Working, useTask } from "../ui/common.js";
import { HeatMap, timedWords } from "../ui/heat.js";
import { Talk } from "../ui/talk.js";
import { Wave } from "../ui/wave.js";
import { speakAloud } from "./voice.js";

const examples = ["I think the weather is nice today.", "She sells fresh fish and rice at the market.", "Thank you very much for your help."];

export function Pronounce() {
  useLanguage();
  const task = useTask();
  const listening = useTask();
  const [text, setText] = useState(examples[0]!);
  const [result, setResult] = useState<{ clip: Clip; answer: PronunciationResponse }>();
  const trimmed = text.trim();
  const score = (clip: Clip) => void task.run(async (signal) => setResult({ clip, answer: await pronunciation(clip, trimmed, signal) }));
  return (
    <>
      <h1 tabIndex={-1}>{t("tab.pronounce")}</h1>
      <p class="lead">{t("pronounce.lead")}</p>
      <Card>
        <div class="stack">
          <label>
            {t("pronounce.text")}
            <textarea rows={2} maxLength={2000} lang="en" class="reading" value={text} onInput={(e) => setText(e.currentTarget.value)} />
          </label>
          <Examples texts={examples.slice(1)} onTake={setText} />
          <Talk label={t("pronounce.start")} disabled={!trimmed || task.busy} onStart={() => (setResult(undefined), () => {})} onClip={score}>
            <button
              type="button"
              class="quiet"
              disabled={!trimmed || listening.busy}
              onClick={() => void listening.run(async (signal) => void (await speakAloud(trimmed, {}, signal)))}
            >
              {t("pronounce.listen")}
            </button>
          </Talk>
        </div>
      </Card>
      <div aria-live="polite">
        {task.busy && <Working text={t("pronounce.working")} />}
        <ErrorBox error={task.error ?? listening.error} />
      </div>
      {result && (
        <Card title={t("pronounce.result")}>
          <HeatMap answer={result.answer} />
          <Wave clip={result.clip} words={timedWords(result.answer)} label={t("pronounce.wave")} />
          <ServedBy by={result.answer.servedBy} />
        </Card>
      )}
    </>
  );
}
