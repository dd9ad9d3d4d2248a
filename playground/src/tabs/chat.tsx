// A conversation: with the chat model, with a tutor, or explanations in Vietnamese.

import { useEffect, useRef, useState } from "preact/hooks";
import { t, useLanguage, type Key } from "../i18n.js";
import { type Answer, type Said, chat, explain, respond } from "../tasks.js";
import { Card, ErrorBox, Examples, ServedBy, Working, useTask } from "../ui/common.js";
import { Level } from "../ui/fields.js";

const modes = ["chat", "tutor", "explain"] as const;
type Mode = (typeof modes)[number];

const examples: Record<Mode, readonly string[]> = {
  chat: ["Hello, how are you?", "What is your favourite food?"],
  tutor: ["I like play football with my friends.", "Yesterday I go to the beach."],
  explain: ["look forward to", "She has lived here for ten years."],
};

export function Chat() {
  useLanguage();
  const task = useTask();
  const [mode, setMode] = useState<Mode>("chat");
  const [level, setLevel] = useState("A2");
  const [said, setSaid] = useState<readonly Said[]>([]);
  const [text, setText] = useState("");
  const [writing, setWriting] = useState("");
  const [last, setLast] = useState<Answer>();
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (said.length) end.current?.scrollIntoView({ block: "nearest" });
  }, [said, writing]);

  const choose = (to: Mode) => {
    task.stop();
    setMode(to);
    setSaid([]);
    setLast(undefined);
  };
  const send = (message: string) => {
    const trimmed = message.trim();
    if (!trimmed || task.busy) return;
    const before = said;
    const now: Said[] = [...before, { who: "user", text: trimmed }];
    setSaid(now);
    setText("");
    setLast(undefined);
    void task.run(async (signal) => {
      let partial = "";
      try {
        const answer = await ask(mode, now, before, level, signal, (written) => setWriting((partial = written)));
        partial = answer.text;
        setLast(answer);
      } finally {
        setWriting("");
        if (partial) setSaid([...now, { who: "model", text: partial }]);
      }
    });
  };

  return (
    <>
      <h1 tabIndex={-1}>{t("tab.chat")}</h1>
      <p class="lead">{t("chat.lead")}</p>
      <Card>
        <div class="row spread">
          <fieldset class="segments">
            <legend class="hidden">{t("chat.mode")}</legend>
            {modes.map((m) => (
              <label>
                <input type="radio" name="mode" checked={m === mode} onChange={() => choose(m)} />
                <span>{t(`chat.${m}` as Key)}</span>
              </label>
            ))}
          </fieldset>
          {mode === "tutor" && <Level value={level} onChange={setLevel} />}
        </div>
        <div class="log" role="log" aria-label={t("chat.log")} tabIndex={0}>
          {said.length === 0 && <p class="hint">{t(`chat.${mode}.hint` as Key)}</p>}
          {said.map(({ who, text: line }) => (
            <p class={"bubble " + who} lang={who === "model" && mode === "explain" ? "vi" : "en"}>
              <span class="hidden">{t(who === "user" ? "chat.you" : "chat.model")}: </span>
              {line}
            </p>
          ))}
          {writing && (
            <p class="bubble model" lang="en" aria-hidden="true">
              {writing}
            </p>
          )}
          {task.busy && !writing && <Working text={t("chat.waiting")} />}
          <div ref={end} />
        </div>
        <ServedBy by={last?.servedBy} />
        <ErrorBox error={task.error} />
        <form
          class="ask"
          onSubmit={(e) => {
            e.preventDefault();
            send(text);
          }}
        >
          <textarea
            rows={2}
            maxLength={4000}
            lang="en"
            aria-label={t("chat.message")}
            placeholder={t("chat.message")}
            value={text}
            onInput={(e) => setText(e.currentTarget.value)}
            onKeyDown={(e) => {
              if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
                e.preventDefault();
                send(text);
              }
            }}
          />
          {task.busy ? (
            <button type="button" onClick={task.stop}>
              {t("chat.stop")}
            </button>
          ) : (
            <button type="submit" class="primary" disabled={!text.trim()}>
              {t("chat.send")}
            </button>
          )}
        </form>
        {said.length === 0 && <Examples texts={examples[mode]} onTake={send} />}
      </Card>
    </>
  );
}

function ask(mode: Mode, now: readonly Said[], before: readonly Said[], level: string, signal: AbortSignal, onText: (text: string) => void): Promise<Answer> {
  const text = now.at(-1)!.text;
  if (mode === "tutor") return respond(text, before, level, signal);
  if (mode === "explain") return explain(text, signal);
  return chat(now, onText, signal);
}
