/** A transcription session that survives a broken connection, and the loss of its server. */

import { type Client as ServiceClient, Code } from "@connectrpc/connect";
import type { ServedBy } from "./gen/modelgateway/v1/common_pb.js";
import type { ModelGatewayService } from "./gen/modelgateway/v1/service_pb.js";
import type { OpenTranscriptionResponse, Transcript, TranscriptionEvent } from "./gen/modelgateway/v1/transcription_pb.js";
import { type AudioSource, pieces, split } from "./audio.js";
import { type Caller, cancelled, Deadline, pause } from "./calls.js";
import { DeadlineExceeded, ModelGatewayError, ServerUnreachable } from "./errors.js";
import type { EventMessage } from "./results.js";
import { type Config, SessionState } from "./sessionstate.js";

/** Pieces that are sent before the first of them is confirmed. Browsers open six HTTP/1.1 connections to a server. */
const unconfirmed = 4;
/** For how long a piece of audio may take. */
const pushTimeoutMs = 30_000;
/** For how long the stream of events may take to say why audio was refused. */
const reportWithinMs = 2000;

const endpointHeader = "mg-endpoint";

type Models = ServiceClient<typeof ModelGatewayService>;
type Limits = { timeoutMs: number; signal?: AbortSignal | undefined };

/**
 * A transcription session. `push` sends audio, `finish` ends it, and iterating gives the events.
 *
 * If the stream of events breaks, it is resumed without losing or repeating an event. If the server is lost, the session
 * continues on another one: it keeps the audio whose words are not final, and sends it again from there. No word is lost,
 * and none comes twice. Words that were not final may change.
 */
export class OpenTranscription implements AsyncIterableIterator<TranscriptionEvent, undefined> {
  readonly #state: SessionState;
  readonly #deadline: Deadline;
  readonly #closed = new AbortController();
  readonly #cancel: () => void;
  #stream = new AbortController(); // of the present stream, and of the pushes to it
  #messages: AsyncGenerator<OpenTranscriptionResponse, void, undefined> | undefined;
  #generation = 0; // number of the stream
  #recovering: Promise<void> = Promise.resolve();
  #inFlight = 0;
  #wake: (() => void)[] = [];
  #failure: ModelGatewayError | undefined;

  private constructor(
    private readonly caller: Caller,
    private readonly models: Models,
    private readonly config: Config,
    private readonly limits: Limits,
  ) {
    this.#state = new SessionState(config);
    this.#deadline = new Deadline(limits.timeoutMs);
    this.#cancel = () => this.#closed.abort(limits.signal?.reason);
    this.#closed.signal.addEventListener("abort", () => {
      this.#stream.abort(this.#closed.signal.reason);
      this.#notify();
    });
    if (limits.signal?.aborted) this.#cancel();
    limits.signal?.addEventListener("abort", this.#cancel);
  }

  /** Opens a session. Use `Client.openTranscription`. */
  static async open(caller: Caller, models: Models, config: Config, limits: Limits): Promise<OpenTranscription> {
    const session = new OpenTranscription(caller, models, config, limits);
    await session.#open(caller);
    return session;
  }

  /** Id of the session on its server. */
  get sessionId(): string {
    return this.#state.sessionId;
  }

  /** Text of the final segments so far; the whole text at the end. */
  get text(): string {
    return this.#state.text;
  }

  /** The complete transcript; undefined until the end. */
  get transcript(): Transcript | undefined {
    return this.#state.transcript;
  }

  /** Which model answered; undefined until the end. */
  get servedBy(): ServedBy | undefined {
    return this.#state.servedBy;
  }

  /** Opens a stream, of the session or of a new one. */
  async #open(caller: Caller): Promise<void> {
    if (this.#closed.signal.aborted) throw this.#failure ?? cancelled(this.#closed.signal);
    const request = this.#state.opening();
    const route = this.#state.endpoint;
    const stream = new AbortController();
    const stop = () => stream.abort(this.#closed.signal.reason);
    this.#closed.signal.addEventListener("abort", stop);
    let endpoint = "";
    const messages = caller.stream(
      (call) => {
        if (route) (call.headers as Headers).set(endpointHeader, route);
        return this.models.openTranscription(request, {
          ...call,
          onHeader: (headers) => void (endpoint = headers.get(endpointHeader) ?? ""),
        });
      },
      { timeoutMs: this.#deadline.remaining(), signal: stream.signal, model: this.config.model },
    );
    const first = await messages.next().finally(() => this.#closed.signal.removeEventListener("abort", stop));
    if (first.done) throw endedEarly();
    const replaced = this.#stream;
    this.#stream = stream;
    this.#messages = messages;
    this.#generation++;
    this.#state.opened(first.value, endpoint);
    replaced.abort();
    this.#pump();
  }

  /**
   * Sends the next audio, of any length. Await it: it waits while more than four pieces are on their way. If audio cannot be
   * sent, this and later calls throw the error.
   */
  async push(audio: Uint8Array): Promise<void> {
    for (const piece of split(audio)) this.#add(piece, false);
    await this.#until(() => this.#onTheirWay <= unconfirmed);
  }

  /** Ends the audio and waits until the server has all of it; it then sends the final result. */
  async finish(): Promise<void> {
    this.#add(new Uint8Array(), true);
    await this.#until(() => this.#onTheirWay === 0);
  }

  get #onTheirWay(): number {
    return this.#inFlight + this.#state.unsent;
  }

  #add(audio: Uint8Array, last: boolean): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed.signal.aborted) throw cancelled(this.#closed.signal);
    this.#state.push(new Uint8Array(audio), last);
    this.#pump();
  }

  /** Waits for a condition that sent pieces change. */
  async #until(ok: () => boolean): Promise<void> {
    while (!ok() && !this.#state.transcript) {
      if (this.#failure) throw this.#failure;
      if (this.#closed.signal.aborted) throw cancelled(this.#closed.signal);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** Sends pieces as long as few are on their way. */
  #pump(): void {
    while (this.#inFlight < unconfirmed && !this.#failure && this.#state.sessionId) {
      const request = this.#state.nextPush();
      if (!request) break;
      this.#inFlight++;
      void this.#send(request, this.#generation).finally(() => {
        this.#inFlight--;
        this.#pump();
        this.#notify();
      });
    }
  }

  async #send(request: NonNullable<ReturnType<SessionState["nextPush"]>>, generation: number): Promise<void> {
    const route = this.#state.endpoint;
    try {
      await this.caller.unary(
        (call) => {
          if (route) (call.headers as Headers).set(endpointHeader, route);
          return this.models.pushAudio(request, call);
        },
        { timeoutMs: pushTimeoutMs, signal: this.#stream.signal, model: this.config.model },
      );
    } catch (error) {
      const failure = this.#unanswered(error as ModelGatewayError);
      await this.#recover(generation, failure).catch((final: ModelGatewayError) => this.#fail(final));
    }
  }

  /** Returns the error of a push. One that took too long, while the session has time left, found no server. */
  #unanswered(error: ModelGatewayError): ModelGatewayError {
    if (!(error instanceof DeadlineExceeded) || this.#closed.signal.aborted || this.#deadline.remaining() === 0) return error;
    const message = `the server did not confirm a piece of audio within ${pushTimeoutMs / 1000} seconds`;
    return new ServerUnreachable(message, { code: Code.Unavailable, cause: error });
  }

  /** Notes that audio did not arrive. The stream of events usually ends too and says why; if not, it is closed. */
  #fail(error: ModelGatewayError): void {
    if (this.#failure || this.#closed.signal.aborted) return;
    this.#failure = error;
    setTimeout(() => this.#closed.abort(error), reportWithinMs);
  }

  /** Opens the next stream after a failure of one. Throws the failure if that cannot help. */
  async #recover(generation: number, failure: ModelGatewayError): Promise<void> {
    const before = this.#recovering;
    let end = () => {};
    this.#recovering = new Promise((resolve) => (end = resolve));
    try {
      await before;
      while (this.#generation === generation && !this.#state.transcript) {
        const wait = this.#closed.signal.aborted ? undefined : this.#state.failed(failure);
        if (wait === undefined || wait >= this.#deadline.remaining()) throw failure;
        await pause(wait, this.#closed.signal);
        await this.#open(this.caller.with({ attempts: 1 })).catch((again: ModelGatewayError) => (failure = again));
      }
    } finally {
      end();
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Returns the next event. */
  async next(): Promise<IteratorResult<TranscriptionEvent, undefined>> {
    for (;;) {
      const generation = this.#generation;
      let failure: ModelGatewayError;
      try {
        const message = await this.#messages!.next();
        if (this.#generation !== generation) continue; // the new stream has it too
        if (!message.done) {
          const event = this.#state.take(message.value);
          this.#notify();
          if (event) return { done: false, value: event };
          continue;
        }
        if (this.#state.transcript) return this.#end();
        failure = endedEarly();
      } catch (error) {
        if (this.#generation !== generation) continue;
        failure = error as ModelGatewayError;
      }
      if (this.#closed.signal.aborted) throw this.#failure ?? failure;
      try {
        await this.#recover(generation, failure);
      } catch (error) {
        this.#failure ??= error as ModelGatewayError;
        await this.close();
        throw error;
      }
    }
  }

  #end(): IteratorResult<TranscriptionEvent, undefined> {
    this.limits.signal?.removeEventListener("abort", this.#cancel);
    return { done: true, value: undefined };
  }

  /** Closes the stream of events. The server ends the session 30 seconds later. */
  async close(): Promise<void> {
    this.#end();
    this.#closed.abort();
    this.#notify();
    await this.#messages?.return();
  }

  async return(): Promise<IteratorResult<TranscriptionEvent, undefined>> {
    await this.close();
    return this.#end();
  }
}

/** Returns the error of a stream that the server, or a proxy, ended without an error. */
function endedEarly(): ModelGatewayError {
  return new ModelGatewayError("the stream of events ended before the transcript", { code: Code.Unavailable });
}

/** Sends audio to a session while it yields the session's events. If reading the audio fails, it throws that error. */
export async function* follow(
  session: OpenTranscription,
  audio: AudioSource,
): AsyncGenerator<EventMessage, void, undefined> {
  let failure: { error: unknown } | undefined;
  const feeding = (async () => {
    for await (const piece of pieces(audio)) await session.push(piece);
    await session.finish();
  })().catch(async (error: unknown) => {
    if (error instanceof ModelGatewayError) return; // the events say why
    failure = { error };
    await session.close();
  });
  try {
    for await (const event of session) yield { event };
    yield { servedBy: session.servedBy };
  } catch (error) {
    throw failure ? (failure as { error: unknown }).error : error;
  } finally {
    await session.close();
  }
  await feeding;
}
