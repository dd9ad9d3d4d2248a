// The client of the server, its errors, and its values. Everything that the page asks of the server passes this client.

import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { Client, ModelGatewayError, ServerUnreachable } from "../../clients/node/src/web/index.js";
import { Store, keep, recall } from "./store.js";

/** The API key or token; empty if the server needs none. */
export const apiKey = new Store(recall("key", () => sessionStorage));

export function setAPIKey(key: string): void {
  keep("key", key, () => sessionStorage);
  apiKey.set(key);
}

export const client = new Client(location.origin, { apiKey: () => apiKey.value });

/** An error of a call, with the reason that docs/api.md explains; or UNREACHABLE. */
export class CallError extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** Returns why a call failed. */
export function callError(error: unknown): CallError {
  if (error instanceof CallError) return error;
  if (error instanceof ModelGatewayError) {
    return new CallError(error instanceof ServerUnreachable ? "UNREACHABLE" : error.reason || "INTERNAL", error.message);
  }
  return new CallError("INTERNAL", String((error as Error)?.message ?? error));
}

/** Returns a duration in milliseconds. */
export function milliseconds(d: Duration | undefined): number {
  return d ? Number(d.seconds) * 1000 + d.nanos / 1e6 : 0;
}

/** Returns a duration in seconds. */
export function seconds(d: Duration | undefined): number {
  return milliseconds(d) / 1000;
}

export function dateOf(time: Timestamp | undefined): Date {
  return new Date(time ? Number(time.seconds) * 1000 + time.nanos / 1e6 : 0);
}

/** Returns the name of an enum's value without its prefix: "READY". */
export function enumName(names: Record<number, string>, value: number): string {
  return names[value] ?? String(value);
}
