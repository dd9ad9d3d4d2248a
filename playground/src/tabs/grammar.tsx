// Corrects a text and shows what was changed, and why.

import { useState } from "preact/hooks";
import type { GrammarResponse } from "../../../gen/ts/modelgateway/v1/tutor_pb.js";
import { t, useLanguage } from "../i18n.js";
import { grammar } from "../tasks.js";
import { Card, Copy, ErrorBox, Examples, ServedBy, Working, useTask } from "../ui/common.js";
import { Diff } from "../ui/diff.js";

const examples = ["She have two book.", "Yesterday I go to the market with my friend.", "He don't like to eat a rice."];

export function Grammar() {
  useLanguage();
  const task = useTask();
  const [text, setText] = useState("");
  const [result, setResult] = useState<{ text: string; answer: GrammarResponse }>();
  const correct = (source: string) => {
    const trimmed = source.trim();
    if (!trimmed) return;
    setResult(undefined);
    void task.run(async (signal) => setResult({ text: trimmed, answer: await grammar(trimmed, signal) }));
  };
  return (
    <>
      <h1 tabIndex={-1}>{t("tab.grammar")}</h1>
      <p class="lead">{t("grammar.lead")}</p>
      <Card>
        <form
          class="stack"
          onSubmit={(e) => {
            e.preventDefault();
            correct(text);
          }}
        >
          <label>
            {t("grammar.text")}
            <textarea
              rows={3}
              maxLength={8000}
              lang="en"
              value={text}
              onInput={(e) => setText(e.currentTarget.value)}
              onKeyDown={(e) => {
                if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
                e.preventDefault();
                correct(text);
              }}
            />
          </label>
          <div class="row">
            <button type="submit" class="primary" disabled={!text.trim() || task.busy}>
              {t("grammar.correct")}
            </button>
            {task.busy && (
              <button type="button" onClick={task.stop}>
                {t("chat.stop")}
              </button>
            )}
          </div>
        </form>
        <Examples
          texts={examples}
          onTake={(example) => {
            setText(example);
            correct(example);
          }}
        />
      </Card>
      <div aria-live="polite">
        {task.busy && <Working text={t("grammar.working")} />}
        <ErrorBox error={task.error} />
        {result && (
          <Card title={t("grammar.result")}>
            <Diff {...result} />
            <div class="row spread">
              <ServedBy by={result.answer.servedBy} />
              <Copy label={t("grammar.copy")} text={() => result.answer.correctedText} />
            </div>
          </Card>
        )}
      </div>
    </>
  );
}
