// The calls for models that the page has made, for the tab of requests.

import type { ServedBy } from "../../gen/ts/modelgateway/v1/common_pb.js";
import { type CallError, callError } from "./api.js";
import { Store } from "./store.js";

export type Task = "chat" | "respond" | "explain" | "grammar" | "transcribe" | "synthesize" | "pronunciation";

export interface Call {
  id: number;
  task: Task;
  /** The request as JSON of the REST API, without audio. */
  request: Record<string, unknown>;
  /** Whether a recording was sent with it. */
  audio: boolean;
  begun: Date;
  state: "running" | "done" | "failed" | "stopped";
  /** Milliseconds from the beginning to the first output and to the end. */
  firstOutput?: number;
  duration?: number;
  servedBy?: ServedBy;
  error?: CallError;
}

/** How many calls the page remembers. */
const most = 100;

export const calls = new Store<readonly Call[]>([]);

let lastID = 0;

export interface Progress {
  /** Must be called for the first piece of output. */
  output(): void;
  /** Must be called with the served_by of the answer. */
  served(by: ServedBy | undefined): void;
}

/** Runs a call and remembers it. Its error is a CallError. */
export async function record<T>(task: Task, request: Record<string, unknown>, audio: boolean, run: (progress: Progress) => Promise<T>): Promise<T> {
  const begun = performance.now();
  const call: Call = { id: ++lastID, task, request, audio, begun: new Date(), state: "running" };
  calls.set([call, ...calls.value].slice(0, most));
  const change = () => calls.set([...calls.value]);
  try {
    return await run({
      output: () => {
        call.firstOutput ??= performance.now() - begun;
      },
      served: (by) => {
        call.servedBy = by ?? call.servedBy;
      },
    }).finally(() => (call.duration = performance.now() - begun));
  } catch (cause) {
    const error = callError(cause);
    call.error = error;
    call.state = error.reason === "CANCELLED" ? "stopped" : "failed";
    throw error;
  } finally {
    if (call.state === "running") call.state = "done";
    change();
  }
}
