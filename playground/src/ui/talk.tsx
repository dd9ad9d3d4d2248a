// The button to speak into.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Clip, decode, loudness } from "../audio/clip.js";
import { type Recording, hasMicrophone, listen } from "../audio/microphone.js";
import { stopPlaying } from "../audio/player.js";
import { formatNumber, t } from "../i18n.js";

/** Who holds the button longer than this releases it to stop; else a second press stops. */
const hold = 500;

export interface TalkProps {
  label: string;
  disabled?: boolean;
  /** Gets the whole recording. */
  onClip: (clip: Clip) => void;
  /** Is called when the microphone starts; the function that it returns gets what it hears. */
  onStart?: (rate: number) => (samples: Int16Array) => void;
  /** Buttons beside that for a file. */
  children?: ComponentChildren;
}

type State = "idle" | "starting" | "recording" | "decoding";

/** Records from the microphone: hold the button, or press it twice; or takes a file. */
export function Talk({ label, disabled, onClip, onStart, children }: TalkProps) {
  const [state, setState] = useState<State>("idle");
  const [problem, setProblem] = useState("");
  const [level, setLevel] = useState(0);
  const [elapsed, setElapsed] = useState(0);
  const recording = useRef<Recording | undefined>(undefined);
  const pressed = useRef(0);
  const stopEarly = useRef(false);
  const file = useRef<HTMLInputElement>(null);

  const stop = async () => {
    const current = recording.current;
    if (!current) {
      stopEarly.current = true; // the microphone is starting
      return;
    }
    recording.current = undefined;
    setState("idle");
    setLevel(0);
    onClip(await current.stop());
  };
  const start = async () => {
    stopPlaying();
    setProblem("");
    setState("starting");
    setElapsed(0);
    stopEarly.current = false;
    let hear: ((samples: Int16Array) => void) | undefined;
    let waiting: Int16Array[] = [];
    try {
      recording.current = await listen((samples) => {
        setLevel(loudness(samples));
        setElapsed((seconds) => seconds + 0.1);
        if (hear) hear(samples);
        else waiting.push(samples);
      }, stop);
      hear = onStart?.(recording.current.rate);
      for (const samples of waiting) hear?.(samples);
      waiting = [];
      setState("recording");
      if (stopEarly.current) await stop();
    } catch (error) {
      setState("idle");
      setProblem(t("talk.refused", { error: (error as Error).message }));
    }
  };
  // Nobody is recorded on a tab that is not shown.
  useEffect(() => {
    const leave = () => void ((state === "starting" || state === "recording") && stop());
    addEventListener("hashchange", leave);
    return () => removeEventListener("hashchange", leave);
  });
  useEffect(
    () => () => {
      stopEarly.current = true; // the microphone may be starting
      void recording.current?.stop();
    },
    [],
  );

  const press = () => {
    if (state === "recording") void stop();
    else if (state === "idle" && !disabled) {
      pressed.current = performance.now();
      void start();
    }
  };
  const release = () => {
    if (pressed.current && performance.now() - pressed.current > hold && state !== "idle") void stop();
    pressed.current = 0;
  };
  const isPress = (event: KeyboardEvent) => (event.key === " " || event.key === "Enter") && !event.repeat;
  const take = async (input: HTMLInputElement) => {
    const chosen = input.files?.[0];
    input.value = "";
    if (!chosen) return;
    setProblem("");
    setState("decoding");
    try {
      onClip(await decode(chosen));
    } catch {
      setProblem(t("talk.unreadable", { file: chosen.name }));
    }
    setState("idle");
  };

  const on = state === "recording" || state === "starting";
  return (
    <div class="talk">
      {hasMicrophone() ? (
        <button
          type="button"
          class={"mic" + (on ? " on" : "")}
          disabled={disabled && !on}
          onPointerDown={(e) => e.button === 0 && press()}
          onPointerUp={release}
          onKeyDown={(e) => {
            if (!isPress(e)) return;
            e.preventDefault();
            press();
          }}
          onKeyUp={(e) => {
            if (e.key !== " " && e.key !== "Enter") return;
            e.preventDefault();
            release();
          }}
          // A screen reader clicks without a pointer.
          onClick={(e) => e.detail === 0 && press()}
        >
          <MicrophoneIcon />
          <span>{on ? t("talk.stop") : label}</span>
          {on && (
            <span class="level" aria-hidden="true">
              <span style={{ transform: `scaleX(${level})` }} />
            </span>
          )}
          {on && <span class="seconds">{formatNumber(elapsed, 1)} s</span>}
        </button>
      ) : (
        <p class="hint">{t("talk.none")}</p>
      )}
      <button type="button" class="quiet" disabled={disabled || on} onClick={() => file.current?.click()}>
        {state === "decoding" ? t("talk.decoding") : t("talk.file")}
      </button>
      {children}
      <input ref={file} type="file" accept="audio/*,video/*" hidden aria-label={t("talk.file")} onChange={(e) => void take(e.currentTarget)} />
      {hasMicrophone() && <p class="hint wide">{t("talk.hint")}</p>}
      {problem && (
        <p class="error wide" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

function MicrophoneIcon() {
  return (
    <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round">
      <rect x="9" y="3" width="6" height="11" rx="3" />
      <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
    </svg>
  );
}
