// Transcribes speech while it is spoken.

import { useState } from "preact/hooks";
import type { ServedBy as ServedByMessage } from "../../../gen/ts/modelgateway/v1/common_pb.js";
import type { Transcript } from "../../../gen/ts/modelgateway/v1/transcription_pb.js";
import { seconds } from "../api.js";
import type { Clip } from "../audio/clip.js";
import { formatNumber, t, useLanguage } from "../i18n.js";
import { Card, Copy, ErrorBox, ServedBy, Working, useTask } from "../ui/common.js";
import { SpokenLanguage } from "../ui/fields.js";
import { LiveText, useLive } from "../ui/live.js";
import { Talk } from "../ui/talk.js";
import { type TimedWord, Wave } from "../ui/wave.js";

interface Result {
  clip: Clip;
  transcript?: Transcript;
  servedBy?: ServedByMessage;
}

export function Speak() {
  useLanguage();
  const task = useTask();
  const [spoken, setSpoken] = useState("en");
  const [result, setResult] = useState<Result>();
  const live = useLive(spoken);

  const transcribe = (recorded: Clip) => {
    void task.run(async (signal) => {
      const answer = await live.finish(recorded, signal);
      setResult({ clip: recorded, ...answer });
    });
  };
  return (
    <>
      <h1 tabIndex={-1}>{t("tab.speak")}</h1>
      <p class="lead">{t("speak.lead")}</p>
      <Card>
        <div class="row spread">
          <Talk
            label={t("speak.start")}
            disabled={task.busy}
            onStart={(rate) => {
              setResult(undefined);
              return live.begin(rate);
            }}
            onClip={transcribe}
          />
          <SpokenLanguage value={spoken} onChange={setSpoken} />
        </div>
      </Card>
      <LiveText heard={live.heard} done={Boolean(result)} />
      {task.busy && <Working text={t("speak.working")} />}
      <ErrorBox error={task.error} />
      {result && (
        <Card title={t("speak.result")}>
          <Sentence transcript={result.transcript} />
          <Wave clip={result.clip} words={wordsOf(result.transcript)} label={t("speak.wave")} />
          <div class="row spread">
            <ServedBy by={result.servedBy} />
            <Copy label={t("speak.copy")} text={() => result.transcript?.text ?? ""} />
          </div>
        </Card>
      )}
    </>
  );
}

export function wordsOf(transcript: Transcript | undefined): TimedWord[] {
  return (transcript?.segments ?? []).flatMap((s) => s.words).map((w) => ({ text: w.text.trim(), start: seconds(w.start), end: seconds(w.end) }));
}

export function Sentence({ transcript }: { transcript?: Transcript }) {
  if (!transcript?.text) return <p class="hint">{t(transcript?.uncertain ? "speak.uncertain" : "speak.silence")}</p>;
  return (
    <>
      <p class="sentence" lang={transcript.language || "en"}>
        {transcript.text}
      </p>
      <p class="hint">
        {t("speak.length", { time: formatNumber(seconds(transcript.audioDuration), 1) })}
        {transcript.languageConfidence > 0 && ` · ${t("speak.language", { code: transcript.language, sure: formatNumber(transcript.languageConfidence * 100) })}`}
      </p>
    </>
  );
}
