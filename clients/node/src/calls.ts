/** Deadlines and retries of calls. */

import { Code, type CallOptions as ConnectOptions } from "@connectrpc/connect";
import { Cancelled, DeadlineExceeded, EngineCrashed, errorOf, type ModelGatewayError, ServerUnreachable, SessionLost } from "./errors.js";

/** Default timeouts in milliseconds. */
export const timeouts = {
  inference: 120_000,
  /** Of calls that last as long as someone speaks or listens. */
  live: 3_600_000,
  load: 600_000,
  admin: 15_000,
} as const;

const clockToleranceMs = 100;
/** Timers have no longer times. */
const longestTimerMs = 2 ** 31;

/** What every call takes. */
export interface CallOptions {
  /** Milliseconds until the call fails, retries included; Infinity: no timeout. */
  timeoutMs?: number | undefined;
  /** Cancels the call. */
  signal?: AbortSignal | undefined;
}

/**
 * When a failed call is retried: only if nothing was received yet, if the server advises it (RetryInfo) or could not be
 * reached, and if the wait fits into the deadline. A request whose engine crashed is retried only once.
 */
export interface Retry {
  /** Number of attempts in total; 1 turns retries off. Default 3. */
  attempts?: number | undefined;
  /** Longest wait in milliseconds; if the server advises a longer one, the error is thrown. Default 30,000. */
  maxWaitMs?: number | undefined;
}

/** Returns how many milliseconds to wait before the next attempt; undefined for no further attempt. */
function waitBefore(retry: Retry, error: ModelGatewayError, attempt: number, deadline: Deadline): number | undefined {
  if (attempt >= (retry.attempts ?? 3)) return undefined;
  if (error instanceof EngineCrashed && attempt > 1) return undefined; // this request may be the cause of the crash
  if (error instanceof SessionLost) return undefined; // the session does not come back
  let wait = error.retryAfterMs;
  if (wait === undefined) {
    if (!(error instanceof ServerUnreachable)) return undefined;
    wait = Math.min(200 * 2 ** (attempt - 1), 2000);
  }
  wait *= 1 + 0.1 * Math.random(); // clients that were refused together do not retry together
  return wait > (retry.maxWaitMs ?? 30_000) || wait >= deadline.remaining() ? undefined : wait;
}

/** The deadline of a call including its retries. */
export class Deadline {
  readonly #end: number;

  constructor(timeoutMs: number) {
    this.#end = performance.now() + timeoutMs;
  }

  /** Returns the remaining milliseconds; Infinity if there is no deadline. */
  remaining(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /**
   * Returns the error, or DeadlineExceeded for a stream that was reset at the deadline: the server resets it when the
   * deadline passes by its own clock, which can be shortly before it passes by the client's.
   */
  judge(error: ModelGatewayError): ModelGatewayError {
    const reset = error instanceof Cancelled || error instanceof ServerUnreachable;
    if (!reset || this.remaining() >= clockToleranceMs) return error;
    return new DeadlineExceeded("the deadline passed", { code: Code.DeadlineExceeded, cause: error });
  }
}

/** Options of one call, complete. */
interface Settings extends CallOptions {
  timeoutMs: number;
  /** Whether the call may be retried; default true. */
  retry?: boolean | undefined;
  /** The model that the call names, by which a proxy can choose a server. */
  model?: string | undefined;
}

/** Makes calls with deadlines and retries; throws the errors of this package. */
export class Caller {
  constructor(
    private readonly retry: Retry,
    private readonly headers: () => Promise<Headers>,
    private readonly hint: string,
    /** Cancels all calls. */
    private readonly closed: AbortSignal,
  ) {}

  /** Returns a caller that retries in another way. */
  with(retry: Retry): Caller {
    return new Caller({ ...this.retry, ...retry }, this.headers, this.hint, this.closed);
  }

  /** Returns a caller for the calls of a conversation. */
  of(conversation: string): Caller {
    const id = affinity(conversation);
    return new Caller(this.retry, async () => {
      const all = await this.headers();
      const value = await id;
      if (value) all.set("mg-affinity", value);
      return all;
    }, this.hint, this.closed);
  }

  /** Makes a unary call. `call` is called for each attempt. */
  async unary<T>(call: (options: ConnectOptions) => Promise<T>, settings: Settings): Promise<T> {
    const deadline = new Deadline(settings.timeoutMs);
    const { signal, release } = linked(deadline, settings.signal, this.closed);
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await call(await this.#options(deadline, signal, settings.model));
        } catch (thrown) {
          await this.#again(thrown, attempt, deadline, signal, settings.retry);
        }
      }
    } finally {
      release();
    }
  }

  /** Makes a call that returns a stream. It is retried only before the first answer. */
  stream<T>(call: (options: ConnectOptions) => AsyncIterable<T>, settings: Settings): AsyncGenerator<T, void, undefined> {
    return leavable((left) => this.#stream(call, settings, left));
  }

  async *#stream<T>(
    call: (options: ConnectOptions) => AsyncIterable<T>,
    settings: Settings,
    left: AbortSignal,
  ): AsyncGenerator<T, void, undefined> {
    const deadline = new Deadline(settings.timeoutMs);
    const { signal, release, abort } = linked(deadline, settings.signal, this.closed, left);
    let began = false;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          for await (const answer of call(await this.#options(deadline, signal, settings.model))) {
            began = true;
            yield answer;
          }
          return;
        } catch (thrown) {
          await this.#again(thrown, attempt, deadline, signal, began ? false : settings.retry);
        }
      }
    } finally {
      release();
      abort(); // leaving the stream early stops the work
    }
  }

  /** Returns the options of an attempt. The timer is not Connect's, which goes on when a stream is left early. */
  async #options(deadline: Deadline, signal: AbortSignal, model = ""): Promise<ConnectOptions> {
    if (signal.aborted) throw cancelled(signal);
    const headers = await this.headers();
    if (/^[ -~]+$/.test(model)) headers.set("mg-model", model);
    const timeout = grpcTimeout(deadline.remaining());
    if (timeout) headers.set("grpc-timeout", timeout);
    return { headers, signal };
  }

  /** Waits until the call may be tried again, or throws its error. */
  async #again(thrown: unknown, attempt: number, deadline: Deadline, signal: AbortSignal, retry = true): Promise<void> {
    if (signal.aborted) throw cancelled(signal);
    const error = deadline.judge(errorOf(thrown, this.hint));
    const wait = retry ? waitBefore(this.retry, error, attempt, deadline) : undefined;
    if (wait === undefined) throw error;
    await pause(wait, signal);
  }
}

/**
 * Returns the header mg-affinity of a conversation's calls. Every client of the project computes the same. Pages that came
 * over plain HTTP have no `crypto.subtle`, and send none.
 */
async function affinity(conversation: string): Promise<string | undefined> {
  const hash = await globalThis.crypto?.subtle?.digest("SHA-256", new TextEncoder().encode(conversation));
  return hash && Array.from(new Uint8Array(hash, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns the header for a deadline: at most eight digits and a unit. */
function grpcTimeout(milliseconds: number): string | undefined {
  if (milliseconds < 1e8) return `${Math.max(1, Math.ceil(milliseconds))}m`;
  return milliseconds < 1e11 ? `${Math.ceil(milliseconds / 1000)}S` : undefined;
}

/**
 * Returns a generator whose `return` first aborts the signal that `make` gets. By itself, `return` would wait for a read
 * that is pending.
 */
export function leavable<T>(make: (left: AbortSignal) => AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  const left = new AbortController();
  const messages = make(left.signal);
  const end = messages.return.bind(messages);
  messages.return = (value) => {
    left.abort();
    return end(value);
  };
  return messages;
}

/**
 * Returns a signal that is aborted when the deadline passes, or when one of the others is aborted. AbortSignal.any is
 * missing in React Native.
 */
export function linked(deadline: Deadline, ...signals: (AbortSignal | undefined)[]) {
  const controller = new AbortController();
  const late = () => controller.abort(new DeadlineExceeded("the deadline passed", { code: Code.DeadlineExceeded }));
  const remaining = deadline.remaining();
  const timer = remaining < longestTimerMs ? setTimeout(late, remaining) : undefined;
  const ends = [() => clearTimeout(timer)];
  for (const signal of signals) {
    if (!signal) continue;
    const abort = () => controller.abort(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    ends.push(() => signal.removeEventListener("abort", abort));
  }
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    release: () => ends.forEach((end) => end()),
  };
}

/** Returns the error of a call whose signal was aborted: by the deadline, or by its caller. */
export function cancelled(signal: AbortSignal): ModelGatewayError {
  if (signal.reason instanceof DeadlineExceeded) return signal.reason;
  return new Cancelled("the call was cancelled", { code: Code.Canceled, cause: signal.reason });
}

/** Waits; throws Cancelled if the signal ends it. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) throw cancelled(signal);
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(cancelled(signal!));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
