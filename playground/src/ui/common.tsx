// Parts that all tabs use.

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ServedBy as ServedByMessage } from "../../../gen/ts/modelgateway/v1/common_pb.js";
import { type CallError, callError, milliseconds } from "../api.js";
import { formatTime, t, tEnum } from "../i18n.js";
import { askForKey } from "./key.js";

/** Runs one call at a time, which the person can stop, and keeps its error. */
export function useTask() {
  const [state, setState] = useState<{ busy: boolean; error?: CallError }>({ busy: false });
  const current = useRef<AbortController | undefined>(undefined);
  const stop = useCallback(() => current.current?.abort(), []);
  const run = useCallback(async (action: (signal: AbortSignal) => Promise<void>) => {
    current.current?.abort();
    const mine = (current.current = new AbortController());
    setState({ busy: true });
    let error: CallError | undefined;
    try {
      await action(mine.signal);
    } catch (cause) {
      error = callError(cause);
    }
    if (current.current === mine) setState({ busy: false, error: error?.reason === "CANCELLED" ? undefined : error });
  }, []);
  useEffect(() => stop, [stop]);
  return { ...state, run, stop };
}

export function Card({ title, children, class: name = "" }: { title?: string; children: ComponentChildren; class?: string }) {
  return (
    <section class={"card " + name}>
      {title && <h2>{title}</h2>}
      {children}
    </section>
  );
}

export function ErrorBox({ error }: { error?: CallError }) {
  if (!error) return null;
  return (
    <div class="error" role="alert">
      <strong>{tEnum("error", error.reason)}</strong>
      {error.message && <p lang="en">{error.message}</p>}
      {error.reason === "UNAUTHENTICATED" && (
        <button type="button" onClick={askForKey}>
          {t("key.enter")}
        </button>
      )}
    </div>
  );
}

export function Working({ text }: { text: string }) {
  return (
    <p class="working">
      <span class="spinner" aria-hidden="true" />
      {text}
    </p>
  );
}

/** Says which model answered, how long each step took, and what the model cannot do. */
export function ServedBy({ by }: { by?: ServedByMessage }) {
  if (!by) return null;
  const load = milliseconds(by.loadDuration);
  return (
    <p class="served">
      <span>
        {t("served.by", { model: by.model, engine: by.engine })}
        {by.fallback && ` · ${t("served.fallback")}`}
        {load > 0 && ` · ${t("served.load", { time: formatTime(load) })}`}
        {` · ${t("served.work", { time: formatTime(milliseconds(by.inferenceDuration)) })}`}
      </span>
      {by.warning && (
        <details>
          <summary>{t("served.starter")}</summary>
          <span lang="en">{by.warning}</span>
        </details>
      )}
    </p>
  );
}

/** Texts to try; a click takes one. */
export function Examples({ texts, onTake }: { texts: readonly string[]; onTake: (text: string) => void }) {
  return (
    <div class="examples">
      <span class="hint">{t("examples.try")}</span>
      {texts.map((text) => (
        <button type="button" class="chip" lang="en" onClick={() => onTake(text)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** A button that copies a text, where the browser allows it: on localhost and with TLS. */
export function Copy({ label, text }: { label: string; text: () => string }) {
  const [copied, setCopied] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <button type="button" class="small" onClick={copy}>
      {copied ? t("copy.done") : label}
    </button>
  );
}
