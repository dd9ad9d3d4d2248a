// A lesson: say a sentence, and see and hear what each model makes of it.

import { useRef, useState } from "preact/hooks";
import type { PronunciationResponse } from "../../../gen/ts/modelgateway/v1/pronunciation_pb.js";
import type { GrammarResponse } from "../../../gen/ts/modelgateway/v1/tutor_pb.js";
import { type CallError, callError } from "../api.js";
import type { Clip } from "../audio/clip.js";
import { t, useLanguage } from "../i18n.js";
import { type Answer, type Said, type Speech, grammar, pronunciation, respond, synthesize } from "../tasks.js";
import { Card, ErrorBox, ServedBy, useTask } from "../ui/common.js";
import { Diff } from "../ui/diff.js";
import { Level } from "../ui/fields.js";
import { HeatMap, timedWords } from "../ui/heat.js";
import { LiveText, useLive } from "../ui/live.js";
import { type Heard, Step } from "../ui/step.js";
import { Talk } from "../ui/talk.js";
import { Wave } from "../ui/wave.js";
import { Practice } from "./practice.js";
import { Sentence, wordsOf } from "./speak.js";
import { speakAloud, spokenWords } from "./voice.js";

/** What the voice says for who has no microphone: a sentence with mistakes to correct. */
const sample = "My sister have a red car.";

interface Turn {
  heard?: Heard;
  corrected?: GrammarResponse | CallError;
  scored?: PronunciationResponse | CallError;
  reply?: Answer | CallError;
  spoken?: Speech | CallError;
}

/** Returns the result of a call or its error; only who stops the lesson ends all. */
async function settle<T>(call: Promise<T>): Promise<T | CallError> {
  try {
    return await call;
  } catch (cause) {
    const error = callError(cause);
    if (error.reason === "CANCELLED") throw error;
    return error;
  }
}

export function Lesson() {
  useLanguage();
  const task = useTask();
  const [level, setLevel] = useState("A2");
  const [turn, setTurn] = useState<Turn>();
  const said = useRef<Said[]>([]);
  const live = useLive("en");

  /** Takes a recording through all steps. Those that need only the transcript run side by side. */
  const take = (record: (signal: AbortSignal) => Promise<Clip>) =>
    void task.run(async (signal) => {
      const now: Turn = {};
      const show = (part: Turn) => setTurn({ ...Object.assign(now, part) });
      show({});
      const clip = await record(signal);
      const answer = await live.finish(clip, signal);
      show({ heard: { clip, ...answer } });
      const text = answer.transcript?.text.trim();
      if (!text) return;
      await Promise.all([
        settle(grammar(text, signal)).then((corrected) => show({ corrected })),
        settle(pronunciation(clip, text, signal)).then((scored) => show({ scored })),
        settle(respond(text, said.current, level, signal)).then(async (reply) => {
          show({ reply });
          if (reply instanceof Error) return;
          said.current = [...said.current, { who: "user" as const, text }, { who: "model" as const, text: reply.text }].slice(-20);
          show({ spoken: await settle(speakAloud(reply.text, {}, signal)) });
        }),
      ]);
    });
  const saySample = (signal: AbortSignal) => synthesize(sample, { steady: true }, () => {}, signal).then((speech) => speech.clip);

  const heard = turn?.heard;
  const silent = heard && !heard.transcript?.text.trim();
  return (
    <>
      <h1 tabIndex={-1}>{t("lesson.title")}</h1>
      <p class="lead">{t("lesson.lead")}</p>
      <Card class="hero">
        <div class="row spread">
          <Talk
            label={t(turn ? "lesson.again" : "lesson.start")}
            disabled={task.busy}
            onStart={(rate) => {
              setTurn(undefined);
              return live.begin(rate);
            }}
            onClip={(clip) => take(() => Promise.resolve(clip))}
          />
          <Level value={level} onChange={setLevel} />
        </div>
        <p class="hint">
          {t("lesson.nomic")}{" "}
          <button type="button" class="link" disabled={task.busy} onClick={() => take(saySample)}>
            {t("lesson.sample")}
          </button>
          {task.busy && (
            <>
              {" · "}
              <button type="button" class="link" onClick={task.stop}>
                {t("chat.stop")}
              </button>
            </>
          )}
        </p>
      </Card>
      <LiveText heard={live.heard} done={Boolean(heard)} />
      <ErrorBox error={task.error} />
      {!turn && !live.heard && <Outline />}
      <p class="hidden" role="status">
        {turn && announcement(turn)}
      </p>
      {turn && (
        <ol class="steps" aria-busy={task.busy}>
          <Step name="heard" busy={task.busy} result={heard}>
            {heard && (
              <>
                <Sentence transcript={heard.transcript} />
                <Wave
                  clip={heard.clip}
                  words={turn.scored && !(turn.scored instanceof Error) ? timedWords(turn.scored) : wordsOf(heard.transcript)}
                  label={t("speak.wave")}
                />
                <ServedBy by={heard.servedBy} />
              </>
            )}
          </Step>
          {heard && !silent && <Rest turn={turn} busy={task.busy} />}
        </ol>
      )}
    </>
  );
}

/** Tells a screen reader which steps are done. */
function announcement(turn: Turn): string {
  const done = (["heard", "corrected", "reply", "spoken", "scored"] as const).filter((step) => turn[step]);
  return done.length ? t("lesson.done", { step: done.map((step) => t(`step.${step}`)).join(", ") }) : "";
}

/** The steps after the transcript. */
function Rest({ turn, busy }: { turn: Turn; busy: boolean }) {
  const { heard, corrected, scored, reply, spoken } = turn;
  const text = heard!.transcript!.text.trim();
  const better = corrected && !(corrected instanceof Error) ? corrected.correctedText : text;
  return (
    <>
      <Step name="corrected" busy={busy} result={corrected}>
        {corrected && !(corrected instanceof Error) && (
          <>
            <Diff text={text} answer={corrected} />
            <ServedBy by={corrected.servedBy} />
          </>
        )}
      </Step>
      <Step name="reply" busy={busy} result={reply}>
        {reply && !(reply instanceof Error) && (
          <>
            <p class="sentence reply" lang="en">
              {reply.text}
            </p>
            <ServedBy by={reply.servedBy} />
          </>
        )}
      </Step>
      <Step name="spoken" busy={busy} result={spoken}>
        {spoken && !(spoken instanceof Error) && (
          <>
            <Wave clip={spoken.clip} words={spokenWords(spoken)} label={t("voice.wave")} />
            <ServedBy by={spoken.servedBy} />
          </>
        )}
      </Step>
      <Step name="scored" busy={busy} result={scored}>
        {scored && !(scored instanceof Error) && (
          <>
            <HeatMap answer={scored} />
            <ServedBy by={scored.servedBy} />
          </>
        )}
      </Step>
      {corrected && !busy && (
        <Step name="practice" busy={false} result={corrected instanceof Error ? {} : corrected}>
          <Practice key={better} text={better} />
        </Step>
      )}
    </>
  );
}

/** What will happen, for who has not begun. */
function Outline() {
  return (
    <ol class="outline">
      {(["heard", "corrected", "reply", "spoken", "scored"] as const).map((name, i) => (
        <li>
          <span class="number" aria-hidden="true">
            {i + 1}
          </span>
          <b>{t(`step.${name}`)}</b>
          <span>{t(`step.${name}.text`)}</span>
        </li>
      ))}
    </ol>
  );
}
