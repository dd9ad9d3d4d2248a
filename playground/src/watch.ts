// The state of the server and its models, followed from when the page is opened.

import type { WatchModelsResponse } from "../../gen/ts/modelgateway/v1/admin_pb.js";
import type { StatusResponse } from "../../gen/ts/modelgateway/v1/status_pb.js";
import { type CallError, apiKey, callError, client } from "./api.js";
import { Store } from "./store.js";

export interface Sample {
  time: number;
  /** Bytes that are charged to each model, by name. */
  charged: ReadonlyMap<string, number>;
}

export interface Happening {
  id: number;
  event: WatchModelsResponse;
}

export interface Watched {
  status?: StatusResponse;
  samples: readonly Sample[];
  /** The newest event first. */
  events: readonly Happening[];
  /** How many events there were. */
  eventCount: number;
  error?: CallError;
}

/** How far back the picture of the memory goes, in milliseconds. */
export const span = 5 * 60_000;

const mostEvents = 60;
/** How often the status is asked for: while the memory is shown, while something else is, and after an error. */
const pollEvery = { memory: 1000, other: 3000, error: 5000 };
/** Events are shown together this often, so that the page stays quick however many come. */
const showEvery = 250;
const retryAfter = 2000;

export const watched = new Store<Watched>({ samples: [], events: [], eventCount: 0 });

const update = (change: Partial<Watched>) => watched.set({ ...watched.value, ...change });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks for the status once, so that what a person has just done shows at once. */
export async function refresh(): Promise<void> {
  try {
    const status = await client.status({ timeoutMs: 10_000 });
    const charged = new Map(status.models.map((m) => [m.name, Number(m.memory?.chargedBytes ?? 0)]));
    const now = Date.now();
    const kept = watched.value.samples.filter((s) => s.time > now - span);
    update({ status, samples: [...kept, { time: now, charged }], error: undefined });
  } catch (error) {
    update({ error: callError(error) });
  }
}

/** Waits for another key if an error says that this one is refused. */
async function keyFor(error: CallError | undefined): Promise<void> {
  if (error?.reason !== "UNAUTHENTICATED" && error?.reason !== "FORBIDDEN") return;
  await new Promise<void>((resolve) => {
    const stop = apiKey.subscribe(() => {
      stop();
      resolve();
    });
  });
}

async function poll(): Promise<void> {
  for (;;) {
    if (!document.hidden) await refresh();
    const { error } = watched.value;
    await keyFor(error);
    await pause(error ? pollEvery.error : location.hash === "#/memory" ? pollEvery.memory : pollEvery.other);
  }
}

let arrived: WatchModelsResponse[] = [];
let count = 0;

async function follow(): Promise<void> {
  for (;;) {
    try {
      for await (const event of client.watchModels()) {
        // The first events tell the state of each model, which the status has too.
        if (event.fromState === 0) continue;
        arrived.push(event);
        count += 1 + Number(event.droppedCount);
        if (arrived.length > mostEvents) arrived.shift();
      }
    } catch (error) {
      await keyFor(callError(error)); // the status reports what is wrong
    }
    await pause(retryAfter);
  }
}

let lastID = 0;

function show(): void {
  if (arrived.length === 0) return;
  const fresh = arrived.map((event) => ({ id: ++lastID, event })).reverse();
  arrived = [];
  update({ events: [...fresh, ...watched.value.events].slice(0, mostEvents), eventCount: count });
}

export function startWatching(): void {
  void poll();
  void follow();
  setInterval(show, showEvery);
  apiKey.subscribe(() => void refresh());
}
