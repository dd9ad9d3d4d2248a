// The calls that this page has made: how long each step took, and how a program makes the same call.

import { milliseconds } from "../api.js";
import { type Call, calls } from "../calls.js";
import { formatClock, formatTime, t, tEnum, useLanguage } from "../i18n.js";
import { asCurl, asNode, asPython } from "../snippets.js";
import { useStore } from "../store.js";
import { Card, Copy } from "../ui/common.js";

export function Requests() {
  useLanguage();
  const made = useStore(calls);
  const longest = Math.max(1, ...made.map((call) => call.duration ?? 0));
  return (
    <>
      <h1 tabIndex={-1}>{t("tab.requests")}</h1>
      <p class="lead">{t("requests.lead")}</p>
      {made.length === 0 ? (
        <Card>
          <p class="hint">{t("requests.none")}</p>
        </Card>
      ) : (
        <>
          <p class="legend hint">
            <span class="key queue">{t("requests.queue")}</span>
            <span class="key load">{t("requests.load")}</span>
            <span class="key work">{t("requests.work")}</span>
            <span class="key rest">{t("requests.rest")}</span>
          </p>
          <ol class="requests">
            {made.map((call) => (
              <Row key={call.id} call={call} longest={longest} />
            ))}
          </ol>
        </>
      )}
    </>
  );
}

function Row({ call, longest }: { call: Call; longest: number }) {
  const by = call.servedBy;
  const steps = { queue: milliseconds(by?.queueDuration), load: milliseconds(by?.loadDuration), work: milliseconds(by?.inferenceDuration) };
  const total = call.duration ?? 0;
  const rest = Math.max(0, total - steps.queue - steps.load - steps.work);
  const share = (ms: number) => ({ width: `${(100 * ms) / longest}%` });
  return (
    <li class="card request">
      <div class="row spread">
        <span>
          <time>{formatClock(call.begun)}</time> <b>{tEnum("task", call.task)}</b> {by && <span class="hint">{by.model}</span>}
        </span>
        <span class={"outcome " + call.state}>
          {call.error && call.state === "failed" ? tEnum("error", call.error.reason) : tEnum("outcome", call.state)}
          {call.duration !== undefined && ` · ${formatTime(total)}`}
        </span>
      </div>
      <div class="waterfall" aria-hidden="true">
        <span class="queue" style={share(steps.queue)} />
        <span class="load" style={share(steps.load)} />
        <span class="work" style={share(steps.work)} />
        <span class="rest" style={share(rest)} />
      </div>
      {by && (
        <p class="hint">
          {t("requests.steps", { queue: formatTime(steps.queue), load: formatTime(steps.load), work: formatTime(steps.work) })}
          {call.firstOutput !== undefined && ` · ${t("requests.first", { time: formatTime(call.firstOutput) })}`}
        </p>
      )}
      {call.state === "failed" && call.error && (
        <p class="hint" lang="en">
          {call.error.message}
        </p>
      )}
      <div class="row">
        <span class="hint">{t("requests.copy")}</span>
        <Copy label="curl" text={() => asCurl(call)} />
        <Copy label="Python" text={() => asPython(call)} />
        <Copy label="Node" text={() => asNode(call)} />
      </div>
    </li>
  );
}
