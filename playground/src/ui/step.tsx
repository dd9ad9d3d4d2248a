// A step of the lesson.

import type { ComponentChildren } from "preact";
import type { ServedBy } from "../../../gen/ts/modelgateway/v1/common_pb.js";
import type { Transcript } from "../../../gen/ts/modelgateway/v1/transcription_pb.js";
import { CallError } from "../api.js";
import type { Clip } from "../audio/clip.js";
import { t } from "../i18n.js";
import { ErrorBox, Working } from "./common.js";

export interface Heard {
  clip: Clip;
  transcript?: Transcript;
  servedBy?: ServedBy;
}

export type StepName = "heard" | "corrected" | "reply" | "spoken" | "scored" | "practice";

/** Shows a step that runs, has failed, or has a result, which is in children. */
export function Step({ name, busy, result, children }: { name: StepName; busy: boolean; result?: object; children: ComponentChildren }) {
  if (!result && !busy) return null;
  const state = result instanceof CallError ? "failed" : result ? "done" : "runs";
  return (
    <li class={"card step " + state} data-step={name} data-state={state}>
      <h2>{t(`step.${name}`)}</h2>
      <div class="step-body">
        {state === "runs" && <Working text={t(`step.${name}.working`)} />}
        {result instanceof CallError ? <ErrorBox error={result} /> : children}
      </div>
    </li>
  );
}
