// What was heard so far.

import { useRef, useState } from "preact/hooks";
import type { ServedBy } from "../../../gen/ts/modelgateway/v1/common_pb.js";
import type { Transcript } from "../../../gen/ts/modelgateway/v1/transcription_pb.js";
import type { Clip } from "../audio/clip.js";
import { type Heard, type Live, transcribe } from "../audio/live.js";
import { t } from "../i18n.js";
import { recognize } from "../tasks.js";

/** Transcribes what the microphone hears, or a whole recording if there was no microphone. */
export function useLive(spoken: string) {
  const [heard, setHeard] = useState<Heard>();
  const live = useRef<Live | undefined>(undefined);
  const abort = useRef<AbortController | undefined>(undefined);
  const begin = (rate: number) => {
    abort.current?.abort();
    abort.current = new AbortController();
    setHeard({ segments: [] });
    const opened = (live.current = transcribe(rate, spoken, setHeard, abort.current.signal));
    return (samples: Int16Array) => opened.send(samples);
  };
  const finish = async (clip: Clip, signal: AbortSignal): Promise<{ transcript?: Transcript; servedBy?: ServedBy }> => {
    const opened = live.current;
    live.current = undefined;
    if (!opened) {
      setHeard(undefined);
      return recognize(clip, spoken, signal);
    }
    signal.addEventListener("abort", () => abort.current?.abort());
    opened.end();
    return opened.transcript;
  };
  return { heard, begin, finish };
}

/** Shows text that is certain in black, and text that may change in grey. */
export function LiveText({ heard, done }: { heard?: Heard; done: boolean }) {
  if (!heard || done) return null;
  const certain = heard.segments.map((s) => s.text).join(" ");
  const committed = [certain, heard.interim?.committedText].filter(Boolean).join(" ");
  const tentative = heard.interim?.tentativeText ?? "";
  return (
    <div class="card live">
      <p class="sentence" lang="en">
        <span aria-live="polite">{committed}</span>
        <span class="tentative">{committed || !tentative.startsWith(" ") ? tentative : tentative.slice(1)}</span>
        {!committed && !tentative && <span class="hint">{t("live.listening")}</span>}
      </p>
    </div>
  );
}
