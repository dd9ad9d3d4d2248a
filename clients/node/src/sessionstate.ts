/** What a transcription session knows. It makes no calls. */

import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { ServedBy } from "./gen/modelgateway/v1/common_pb.js";
import { type OpenTranscriptionRequestSchema, type OpenTranscriptionResponse, type TranscriptSegment, type Transcript, type TranscriptionConfigSchema, type TranscriptionEvent, type TranscriptionOffset, TranscriptionOffsetSchema } from "./gen/modelgateway/v1/transcription_pb.js";
import { Draining, EngineCrashed, type ModelGatewayError, SessionLost } from "./errors.js";
import { TranscriptionState } from "./results.js";

/** For how long a session is resumed or continued after its stream broke. */
const resumeWithinMs = 30_000;
/** Longest wait before the next stream. A stream that broke after more than this had recovered from the failures before. */
const longestWaitMs = 2000;
/** How much audio is kept. If its words are not final when there is more, the loss of the server ends the session. */
const keptBytes = 64 << 20;
/** Codes of calls whose connection broke. Proxies end streams in several ways then. */
const broken = new Set([Code.Unavailable, Code.Internal, Code.Unknown, Code.Canceled, Code.Aborted]);

export type Config = MessageInitShape<typeof TranscriptionConfigSchema>;

/** A piece of audio that was pushed. */
interface Piece {
  sequence: bigint;
  audio: Uint8Array;
  last: boolean;
}

/** A session that can continue on another server, with the audio whose words are not final. */
export class SessionState extends TranscriptionState {
  servedBy: ServedBy | undefined;
  /** Id of the session on its server; "" if there is none. */
  sessionId = "";
  /** Server that has the session, for the header mg-endpoint; "" if no proxy wants to know. */
  endpoint = "";
  #offset: TranscriptionOffset = create(TranscriptionOffsetSchema);
  readonly #kept: Piece[] = [];
  #size = 0;
  #next = 0n; // number of the next new piece
  #toSend = 0n; // number of the next piece to send
  #lastEvent = 0n;
  readonly #segments: TranscriptSegment[] = [];
  #before = 0; // segments before the present session
  #failures = 0; // since the last event, or since a stream that lasted
  #since = 0; // time of the first of them
  #begun = 0; // time when the last stream opened
  #crashed = false; // the engine crashed since the last event

  constructor(private readonly config: Config) {
    super();
  }

  /** Number of pieces that are not sent yet. */
  get unsent(): number {
    return Number(this.#next - this.#toSend);
  }

  /** Keeps a new piece. */
  push(audio: Uint8Array, last: boolean): void {
    this.#kept.push({ sequence: this.#next++, audio, last });
    this.#size += audio.length;
    while (this.#size > keptBytes && this.#kept[0]!.sequence < this.#toSend) this.#drop();
  }

  #drop(): void {
    this.#size -= this.#kept.shift()!.audio.length;
  }

  /** Returns the next piece to send, and counts it as sent. */
  nextPush() {
    const piece = this.transcript ? undefined : this.#kept[Number(this.#toSend - (this.#kept[0]?.sequence ?? 0n))];
    if (piece) this.#toSend++;
    return piece && { sessionId: this.sessionId, ...piece };
  }

  /** Returns the request for the next stream: of the session, or of a new one. */
  opening(): MessageInitShape<typeof OpenTranscriptionRequestSchema> {
    if (this.sessionId) return { sessionId: this.sessionId, lastEventSequence: this.#lastEvent };
    const begun = toBinary(TranscriptionOffsetSchema, this.#offset).length > 0;
    return { config: begun ? { ...this.config, resumeFrom: this.#offset } : this.config };
  }

  /** Notes the first message of a stream. */
  opened(first: OpenTranscriptionResponse, endpoint: string): void {
    if (!this.sessionId) {
      this.#before = this.#segments.length;
      this.#lastEvent = 0n;
    }
    this.#begun = performance.now();
    this.sessionId = first.sessionId;
    this.#toSend = first.nextAudioSequence;
    this.endpoint = endpoint;
  }

  /**
   * Notes a message, and returns its event with all that went before it. An old stream can send messages while the next one
   * opens: those of a lost session, whose audio is sent again, and those that were taken already are left out.
   */
  take({ sessionId, event, eventSequence, servedBy }: OpenTranscriptionResponse): TranscriptionEvent | undefined {
    if (!event || sessionId !== this.sessionId || eventSequence <= this.#lastEvent) return undefined;
    this.#lastEvent = eventSequence;
    this.#failures = 0;
    this.#crashed = false;
    if (event.event.case === "segment") this.#segments.push(event.event.value);
    if (event.offset) {
      this.#offset = event.offset;
      const final = event.offset.committedSequence;
      while (this.#kept[0] && this.#kept[0].sequence < final && this.#kept[0].sequence < this.#toSend) this.#drop();
    }
    if (event.event.case === "final") {
      this.#join(event.event.value);
      this.servedBy = servedBy;
    }
    this.add(event);
    return event;
  }

  /** Puts the segments of lost sessions before a transcript. */
  #join(final: Transcript): void {
    if (this.#before === 0) return;
    const before = this.#segments.slice(0, this.#before);
    final.text = [...before.map(({ text }) => text), ...(final.text ? [final.text] : [])].join(" ");
    final.segments.unshift(...before);
  }

  /** Notes a failure. Returns how many milliseconds to wait before the next stream; undefined if that cannot help. */
  failed(error: ModelGatewayError): number | undefined {
    const now = performance.now();
    const lasted = this.#begun >= this.#since && now - this.#begun > longestWaitMs;
    const failures = lasted ? 1 : this.#failures + 1;
    const since = failures === 1 ? now : this.#since;
    let wait = Math.min(200 * 2 ** Math.min(failures - 1, 8), longestWaitMs);
    let lost = true; // the server does not have the session
    let crashed = this.#crashed;
    if (error instanceof SessionLost || error instanceof Draining) {
      if (failures === 1) wait = 0;
    } else if (error instanceof EngineCrashed && !crashed) {
      crashed = true;
      wait = Math.max(wait, error.retryAfterMs ?? 0);
    } else if (error.reason === "" && broken.has(error.code)) {
      lost = !this.sessionId;
    } else if (failures > 1 && !this.sessionId && error.retryAfterMs !== undefined) {
      wait = error.retryAfterMs; // no server has a place for it yet
    } else {
      return undefined;
    }
    if (now + wait - since > resumeWithinMs) return undefined;
    const first = this.#kept[0]?.sequence ?? this.#next;
    // Audio that another server would need is not kept any more.
    if (lost && first > this.#offset.committedSequence) return undefined;
    this.#failures = failures;
    this.#since = since;
    this.#crashed = crashed;
    if (lost) this.sessionId = "";
    if (lost || failures > 3) this.endpoint = ""; // ask another server
    return wait;
  }
}
