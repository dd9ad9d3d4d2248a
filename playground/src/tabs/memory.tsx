// Who holds the memory, and what happened to the models.

import { useState } from "preact/hooks";
import { type PlanLoadResponse } from "../../../gen/ts/modelgateway/v1/admin_pb.js";
import { ErrorReason } from "../../../gen/ts/modelgateway/v1/errors_pb.js";
import { EvictionReason, type Model, ModelState } from "../../../gen/ts/modelgateway/v1/model_pb.js";
import { Priority } from "../../../gen/ts/modelgateway/v1/common_pb.js";
import { client, dateOf, enumName, milliseconds } from "../api.js";
import { formatBytes, formatClock, formatNumber, formatTime, t, tEnum, useLanguage } from "../i18n.js";
import { useStore } from "../store.js";
import { Card, ErrorBox, Working, useTask } from "../ui/common.js";
import { Budget, Timeline } from "../ui/budget.js";
import { type Happening, refresh, watched } from "../watch.js";

export function Memory() {
  useLanguage();
  const { status, samples, events, eventCount, error } = useStore(watched);
  return (
    <>
      <h1 tabIndex={-1}>{t("tab.memory")}</h1>
      <p class="lead">{t("memory.lead")}</p>
      <ErrorBox error={error} />
      {!status && !error && <Working text={t("memory.asking")} />}
      {status && (
        <>
          <Card title={t("memory.budget")}>
            <Budget status={status} />
            <Timeline samples={samples} names={status.models.map((m) => m.name)} budget={Number(status.memoryBudgetBytes)} />
          </Card>
          <div class="models">
            {status.models.map((model, i) => (
              <ModelCard key={model.name} model={model} colour={i} />
            ))}
          </div>
        </>
      )}
      <Card title={t("memory.events")}>
        {events.length === 0 ? (
          <p class="hint">{t("memory.noevents")}</p>
        ) : (
          <>
            <p class="hint">{t("memory.eventcount", { n: formatNumber(eventCount) })}</p>
            <ol class="events" tabIndex={0} aria-label={t("memory.events")}>
              {events.map((one) => (
                <EventRow key={one.id} {...one} />
              ))}
            </ol>
          </>
        )}
      </Card>
    </>
  );
}

function EventRow({ event }: Happening) {
  const state = enumName(ModelState, event.toState);
  const reason = event.evictionReason
    ? tEnum("eviction", enumName(EvictionReason, event.evictionReason))
    : event.errorReason
      ? tEnum("error", enumName(ErrorReason, event.errorReason))
      : "";
  return (
    <li>
      <time>{formatClock(dateOf(event.time))}</time>
      <b>{event.name}</b>
      <span class={"state " + state.toLowerCase()}>{tEnum("state", state)}</span>
      <span class="detail">
        {reason}
        {reason && event.detail && " · "}
        {event.detail && <span lang="en">{event.detail}</span>}
      </span>
    </li>
  );
}

function ModelCard({ model, colour }: { model: Model; colour: number }) {
  const task = useTask();
  const [plan, setPlan] = useState<PlanLoadResponse>();
  const [progress, setProgress] = useState<number>();
  const state = enumName(ModelState, model.state);
  const loaded = model.state === ModelState.READY || model.state === ModelState.DRAINING;

  // A load goes on when another tab is shown, and so do a pin and an unload: none of them gets the signal of the task.
  const act = (action: (signal: AbortSignal) => Promise<void>) =>
    task.run(async (signal) => {
      setPlan(undefined);
      try {
        await action(signal);
      } finally {
        setProgress(undefined);
        void refresh();
      }
    });
  const load = (pin: boolean) =>
    act(async () => {
      await client.loadModel(model.name, { pin, progress: (report) => setProgress(report.progress) });
    });
  const unload = () => act(async () => void (await client.unloadModel(model.name)));
  const ask = () => act(async (signal) => setPlan(await client.planLoad(model.name, { signal })));

  const loading = progress ?? (model.state === ModelState.LOADING ? model.loadProgress : undefined);
  return (
    <Card class="model">
      <header>
        <h2>
          <span class={"dot c" + (colour % 6)} aria-hidden="true" />
          {model.name} <small>{model.engine}</small>
        </h2>
        <span class={"state " + state.toLowerCase()}>{tEnum("state", state)}</span>
      </header>
      {loading !== undefined && (
        <label class="loading">
          {t("memory.loading", { percent: formatNumber(loading * 100) })}
          <progress value={loading} max={1} />
        </label>
      )}
      <dl class="facts">
        <Fact name={t("memory.holds")} value={formatBytes(model.memory?.chargedBytes || 0)} />
        <Fact name={t("memory.needs")} value={formatBytes(model.memory?.reservedBytes || 0)} />
        <Fact name={t("memory.priority")} value={tEnum("priority", enumName(Priority, model.priority))} />
        {model.idleRemaining && <Fact name={t("memory.idle")} value={formatTime(milliseconds(model.idleRemaining))} />}
        {model.evictionRank > 0 && <Fact name={t("memory.rank")} value={formatNumber(model.evictionRank)} />}
      </dl>
      <Queue active={model.activeCount} queued={model.queuedCount} />
      {model.failure && (
        <p class="error" lang="en">
          {model.failure.message}
        </p>
      )}
      {model.lastEviction && !loaded && (
        <p class="hint">
          {t("memory.last", {
            time: formatClock(dateOf(model.lastEviction.time)),
            reason: tEnum("eviction", enumName(EvictionReason, model.lastEviction.reason)),
          })}
        </p>
      )}
      <div class="row">
        {!loaded && (
          <button type="button" disabled={task.busy} onClick={() => load(false)}>
            {t("memory.load")}
          </button>
        )}
        {!model.pinned && (
          <button type="button" disabled={task.busy} onClick={() => load(true)}>
            {t("memory.pin")}
          </button>
        )}
        {loaded && (
          <button type="button" disabled={task.busy} onClick={unload}>
            {t(model.pinned ? "memory.unpin" : "memory.unload")}
          </button>
        )}
        {!loaded && (
          <button type="button" class="quiet" disabled={task.busy} onClick={ask}>
            {t("memory.plan")}
          </button>
        )}
      </div>
      {model.pinned && <p class="hint">{t("memory.pinned")}</p>}
      {plan && (
        <p class="plan" role="status" lang="en">
          {plan.explanation}
        </p>
      )}
      <ErrorBox error={task.error} />
    </Card>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** Draws a dot for each request: full while it is served, a ring while it waits. */
function Queue({ active, queued }: { active: number; queued: number }) {
  const most = 24;
  const dots = [...Array(Math.min(active, most)).fill("busy"), ...Array(Math.min(queued, most)).fill("waits")].slice(0, most);
  return (
    <p class="queue">
      <span aria-hidden="true">
        {dots.map((kind) => (
          <i class={kind} />
        ))}
      </span>
      {t("memory.queue", { active: formatNumber(active), queued: formatNumber(queued) })}
    </p>
  );
}
