/** Live speech over a WebSocket. */

import { create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { ServedBySchema } from "../gen/modelgateway/v1/common_pb.js";
import { TranscriptionConfigSchema, TranscriptionEventSchema } from "../gen/modelgateway/v1/transcription_pb.js";
import { type AudioSource, pieces } from "../audio.js";
import { cancelled, pause } from "../calls.js";
import { errorForReason, InvalidRequest, type ModelGatewayError, ServerUnreachable } from "../errors.js";
import { type LiveOptions, transcriptionConfig } from "../requests.js";
import type { EventMessage } from "../results.js";

/** The socket gets no more audio while it holds this many bytes that were not sent. */
const maxBufferedBytes = 1 << 18;

const path = "/v1/transcribe/ws";
/** HTTP status of a request for a WebSocket that does not ask for one. */
const upgradeRequired = 426;

/** Code of a WebSocket that was closed without a code. */
const abnormalClosure = 1006;

/** What the name of a subprotocol consists of. */
const inProtocol = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The server to connect to. */
export interface Target {
  baseUrl: string;
  key: string | undefined;
  fetch: typeof globalThis.fetch;
  /** What to do if it cannot be reached. */
  hint: string;
}

/** Sends audio over a WebSocket and yields the events. */
export async function* overSocket(
  target: Target,
  audio: AudioSource,
  options: LiveOptions,
  signal: AbortSignal,
): AsyncGenerator<EventMessage, void, undefined> {
  if (signal.aborted) throw cancelled(signal);
  const { baseUrl, key } = target;
  if (!globalThis.WebSocket) throw new TypeError("there is no WebSocket here: use over: \"session\"");
  // The browser's own error would quote the key.
  if (key && !inProtocol.test(key)) {
    throw new InvalidRequest("the API key has characters that a WebSocket cannot send. Check the key, or use over: \"session\".");
  }
  // A browser's WebSocket has no headers.
  const protocols = key ? ["modelgateway", `modelgateway.key.${key}`] : [];
  const socket = new WebSocket(baseUrl.replace(/^http/, "ws") + path, protocols);
  const inbox = new Inbox(socket, () => refusal(target, signal), target.hint);
  const stop = () => inbox.fail(cancelled(signal));
  signal.addEventListener("abort", stop);
  try {
    await inbox.opened;
    const config = create(TranscriptionConfigSchema, transcriptionConfig({ interimResults: true, ...options }));
    socket.send(JSON.stringify(toJson(TranscriptionConfigSchema, config, { useProtoFieldName: true })));
    void feed(socket, audio).catch((error: unknown) => inbox.fail(error));
    yield* inbox.messages();
  } finally {
    signal.removeEventListener("abort", stop);
    socket.close();
  }
}

async function feed(socket: WebSocket, audio: AudioSource): Promise<void> {
  for await (const piece of pieces(audio)) {
    while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > maxBufferedBytes) await pause(20);
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(new Uint8Array(piece));
  }
  socket.send('{"end":true}');
}

/** The messages of a socket, in order. */
class Inbox {
  readonly opened: Promise<void>;
  readonly #queue: EventMessage[] = [];
  #end: { error?: unknown } | undefined;
  #wake = () => {};

  /** @param refused finds out why the socket was not opened. */
  constructor(socket: WebSocket, refused: () => Promise<ModelGatewayError | undefined>, hint: string) {
    let opened = false;
    this.opened = new Promise((resolve, reject) => {
      socket.onopen = () => {
        opened = true;
        resolve();
      };
      this.#wake = () => this.#end && reject(this.#end.error);
    });
    this.opened.catch(() => {});
    socket.onmessage = ({ data }) => this.#take(JSON.parse(String(data)) as JsonObject);
    let closed = false;
    const close = async (code: number) => {
      if (closed) return;
      closed = true;
      if (code === 1000) return this.#finish({});
      const reason = opened ? undefined : await refused();
      this.fail(reason ?? new ServerUnreachable(`the WebSocket was closed with code ${code}. ${hint}`));
    };
    socket.onclose = ({ code }) => void close(code);
    // In Node.js 22, a WebSocket that was not opened has no close event.
    socket.onerror = () => {
      if (!opened) void close(abnormalClosure);
    };
  }

  #take({ event, served_by: servedBy, error }: JsonObject): void {
    if (error) return this.fail(reported(error as JsonObject));
    // An interim result that nobody has read yet is outdated.
    if (this.#queue.at(-1)?.event?.event.case === "interim") this.#queue.pop();
    this.#queue.push({
      ...(event !== undefined && { event: fromJson(TranscriptionEventSchema, event, { ignoreUnknownFields: true }) }),
      ...(servedBy !== undefined && { servedBy: fromJson(ServedBySchema, servedBy, { ignoreUnknownFields: true }) }),
    });
    this.#wake();
  }

  fail(error: unknown): void {
    this.#finish({ error });
  }

  #finish(end: { error?: unknown }): void {
    this.#end ??= end;
    this.#wake();
  }

  async *messages(): AsyncGenerator<EventMessage, void, undefined> {
    for (;;) {
      const message = this.#queue.shift();
      if (message) yield message;
      else if (this.#end && "error" in this.#end) throw this.#end.error;
      else if (this.#end) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/**
 * Returns why the server did not open a WebSocket; undefined if it does not say so. Pages do not see the answer to an
 * opening that failed, but that to a request for the same path, which passes the same checks.
 */
async function refusal({ baseUrl, key, fetch }: Target, signal: AbortSignal): Promise<ModelGatewayError | undefined> {
  try {
    const answer = await fetch(baseUrl + path, { signal, ...(key && { headers: { authorization: `Bearer ${key}` } }) });
    if (answer.status === upgradeRequired) return undefined; // all is well except for the WebSocket
    const error = reported((await answer.json()) as JsonObject);
    return error.reason ? error : undefined; // without a reason, it is no answer of this server
  } catch {
    return undefined;
  }
}

/** Returns the error that the server reported as JSON. */
function reported({ code, reason, message, details }: JsonObject): ModelGatewayError {
  let retryAfterMs: number | undefined;
  let metadata: Record<string, string> = {};
  for (const detail of (details ?? []) as JsonObject[]) {
    const type = String(detail["@type"]);
    if (type.endsWith("google.rpc.RetryInfo")) retryAfterMs = Number.parseFloat(String(detail["retryDelay"])) * 1000;
    if (type.endsWith("google.rpc.ErrorInfo")) metadata = (detail["metadata"] ?? {}) as Record<string, string>;
    reason ??= detail["reason"];
  }
  return errorForReason(String(reason ?? ""), String(message), { code: Number(code), retryAfterMs, metadata });
}
