// A correction: what goes, what comes, and why.

import { GrammarErrorType, type GrammarEdit, type GrammarResponse } from "../../../gen/ts/modelgateway/v1/tutor_pb.js";
import { enumName } from "../api.js";
import { language, formatNumber, t, tEnum } from "../i18n.js";

export function Diff({ text, answer }: { text: string; answer: GrammarResponse }) {
  if (answer.edits.length === 0) {
    return (
      <div class="diff">
        <p class="sentence" lang="en">
          {text}
        </p>
        <p class="good-note">{t("grammar.none")}</p>
      </div>
    );
  }
  return (
    <div class="diff">
      <p class="sentence" lang="en">
        {pieces(text, answer.edits).map((piece) =>
          typeof piece === "string" ? (
            piece
          ) : (
            <span class="edit">
              {piece.original.trim() && <del>{piece.original}</del>}
              {piece.replacement.trim() && <ins>{piece.replacement}</ins>}
            </span>
          ),
        )}
      </p>
      <ol class="edits">
        {answer.edits.map((edit) => (
          <li>
            <span class="kind">{tEnum("kind", enumName(GrammarErrorType, edit.errorType))}</span>
            <span class="change" lang="en">
              {edit.original.trim() || "∅"} → {edit.replacement.trim() || "∅"}
            </span>
            {edit.explanation && (
              <span class="why" lang={language.value}>
                {edit.explanation}
              </span>
            )}
          </li>
        ))}
      </ol>
      <p class="hint">{t("grammar.score", { score: formatNumber(answer.score) })}</p>
    </div>
  );
}

/** Splits a text at its edits, whose offsets count code points. */
function pieces(text: string, edits: readonly GrammarEdit[]): (string | GrammarEdit)[] {
  const points = [...text];
  const all: (string | GrammarEdit)[] = [];
  let at = 0;
  for (const edit of edits) {
    all.push(points.slice(at, edit.startOffset).join(""), edit);
    at = edit.endOffset;
  }
  all.push(points.slice(at).join(""));
  return all;
}
