// Reads the corrected sentence aloud again.

import { useState } from "preact/hooks";
import type { PronunciationResponse } from "../../../gen/ts/modelgateway/v1/pronunciation_pb.js";
import type { Clip } from "../audio/clip.js";
import { t } from "../i18n.js";
import { pronunciation } from "../tasks.js";
import { ErrorBox, ServedBy, Working, useTask } from "../ui/common.js";
import { HeatMap, timedWords } from "../ui/heat.js";
import { Talk } from "../ui/talk.js";
import { Wave } from "../ui/wave.js";
import { speakAloud } from "./voice.js";

export function Practice({ text }: { text: string }) {
  const task = useTask();
  const listening = useTask();
  const [result, setResult] = useState<{ clip: Clip; answer: PronunciationResponse }>();
  const score = (clip: Clip) => void task.run(async (signal) => setResult({ clip, answer: await pronunciation(clip, text, signal) }));
  return (
    <>
      <p class="sentence" lang="en">
        {text}
      </p>
      <Talk label={t("practice.start")} disabled={task.busy} onClip={score}>
        <button
          type="button"
          class="quiet"
          disabled={listening.busy}
          onClick={() => void listening.run(async (signal) => void (await speakAloud(text, {}, signal)))}
        >
          {t("pronounce.listen")}
        </button>
      </Talk>
      <div aria-live="polite">
        {task.busy && <Working text={t("pronounce.working")} />}
        <ErrorBox error={task.error ?? listening.error} />
      </div>
      {result && (
        <>
          <HeatMap answer={result.answer} />
          <Wave clip={result.clip} words={timedWords(result.answer)} label={t("pronounce.wave")} />
          <ServedBy by={result.answer.servedBy} />
        </>
      )}
    </>
  );
}
