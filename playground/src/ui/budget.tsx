// The memory budget as pictures: who holds it now, and who held it before.

import type { StatusResponse } from "../../../gen/ts/modelgateway/v1/status_pb.js";
import { formatBytes, formatTime, t } from "../i18n.js";
import { type Sample, span } from "../watch.js";

/** A bar as long as the budget, with a part for each model. */
export function Budget({ status }: { status: StatusResponse }) {
  const budget = Number(status.memoryBudgetBytes);
  const holders = status.models.map((m, i) => ({ name: m.name, bytes: Number(m.memory?.chargedBytes ?? 0), colour: i % 6 }));
  return (
    <div class="budget">
      <p class="budget-sum">
        <b>{formatBytes(status.memoryUsedBytes)}</b> {t("memory.of", { budget: formatBytes(status.memoryBudgetBytes) })}
      </p>
      <div class="bar" aria-hidden="true">
        {holders.map(({ name, bytes, colour }) => bytes > 0 && <span key={name} class={"c" + colour} style={{ width: `${(100 * bytes) / budget}%` }} />)}
      </div>
      <ul class="legend">
        {holders.map(({ name, bytes, colour }) => (
          <li class={bytes ? "" : "none"}>
            <span class={"dot c" + colour} aria-hidden="true" />
            {name} <b>{bytes ? formatBytes(bytes) : t("memory.nothing")}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

const width = 600;
const height = 160;

/** The last minutes: one area for each model, on top of each other. */
export function Timeline({ samples, names, budget }: { samples: readonly Sample[]; names: readonly string[]; budget: number }) {
  const last = samples.at(-1);
  if (!last) return null;
  const total = (s: Sample) => names.reduce((sum, name) => sum + (s.charged.get(name) ?? 0), 0);
  const most = Math.max(...samples.map(total), 1);
  // The picture is as high as what was used, and never higher than the budget.
  const top = most > 1 ? Math.min(budget, niceTop(most)) : budget;
  // From when the page was opened, but not less than a minute.
  const shown = Math.min(span, Math.max(60_000, last.time - samples[0]!.time));
  const ago = formatTime(shown);
  const x = (time: number) => width - ((last.time - time) / shown) * width;
  const y = (bytes: number) => height - (Math.min(bytes, top) / top) * height;
  const floor = new Map(samples.map((s) => [s, 0]));
  const areas = names.map((name) => {
    const upper: string[] = [];
    const lower: string[] = [];
    samples.forEach((s, i) => {
      const from = floor.get(s)!;
      const to = from + (s.charged.get(name) ?? 0);
      floor.set(s, to);
      const end = x(samples[i + 1]?.time ?? last.time);
      upper.push(`${x(s.time).toFixed(1)},${y(to).toFixed(1)} ${end.toFixed(1)},${y(to).toFixed(1)}`);
      lower.unshift(`${end.toFixed(1)},${y(from).toFixed(1)} ${x(s.time).toFixed(1)},${y(from).toFixed(1)}`);
    });
    return [...upper, ...lower].join(" ");
  });
  return (
    <figure class="timeline">
      <div class="plot">
        <span class="y most">{formatBytes(top)}</span>
        <span class="y least">0</span>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={t("memory.chart", { time: ago, used: formatBytes(total(last)), most: formatBytes(most), budget: formatBytes(budget) })}
        >
          {[0.25, 0.5, 0.75].map((part) => (
            <line x1="0" x2={width} y1={height * part} y2={height * part} class="grid" />
          ))}
          {areas.map((points, i) => (
            <polygon class={"c" + (i % 6)} points={points} />
          ))}
        </svg>
      </div>
      <figcaption>
        <span>{t("memory.ago", { time: ago })}</span>
        <span>{t("memory.now")}</span>
      </figcaption>
    </figure>
  );
}

/** Returns a round number of bytes that leaves some space above. */
function niceTop(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes));
  return [1.25, 1.5, 2, 2.5].map((factor) => step * factor).find((top) => top >= bytes * 1.1) ?? step * 3;
}
