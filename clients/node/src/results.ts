/** Results of streams. */

import type { FinishReason, ServedBy, Usage } from "./gen/modelgateway/v1/common_pb.js";
import type { StreamChatResponse } from "./gen/modelgateway/v1/chat_pb.js";
import type { SpokenWord, SynthesizeResponse } from "./gen/modelgateway/v1/synthesis_pb.js";
import type { Transcript, TranscriptionEvent } from "./gen/modelgateway/v1/transcription_pb.js";
import { joined, Wav } from "./audio.js";

/** A stream of values. Leaving a `for await` loop early, or `close`, stops the work of the server. */
abstract class Stream<Message, Value> implements AsyncIterableIterator<Value, undefined> {
  readonly #messages: AsyncGenerator<Message, void, undefined>;
  /** Which model answered; undefined until the end. */
  servedBy: ServedBy | undefined;

  constructor(messages: AsyncGenerator<Message, void, undefined>) {
    this.#messages = messages;
  }

  /** Takes a message, and returns what its readers get; undefined: nothing. */
  protected abstract take(message: Message): Value | undefined;

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Returns the next value. The call starts when the first one is requested. */
  async next(): Promise<IteratorResult<Value, undefined>> {
    for (;;) {
      const message = await this.#messages.next();
      if (message.done) return { done: true, value: undefined };
      const value = this.take(message.value);
      if (value !== undefined) return { done: false, value };
    }
  }

  async return(): Promise<IteratorResult<Value, undefined>> {
    await this.#messages.return();
    return { done: true, value: undefined };
  }

  /** Cancels the call if it is still running. */
  async close(): Promise<void> {
    await this.return();
  }
}

/** A model's call of a tool. */
export interface CalledTool {
  id: string;
  name: string;
  /** The arguments as JSON text; complete at the end of the stream. */
  arguments: string;
}

/** Yields the pieces of a chat answer. */
export class ChatStream extends Stream<StreamChatResponse, string> {
  /** The text received so far. */
  text = "";
  /** The model's thoughts, as far as they were received. */
  reasoning = "";
  /** The model's calls of tools, as far as they were received. */
  readonly toolCalls: CalledTool[] = [];
  /** Why the model stopped; undefined until the end. */
  finishReason: FinishReason | undefined;
  /** Number of tokens read and generated; undefined until the end. */
  usage: Usage | undefined;

  protected take(piece: StreamChatResponse): string | undefined {
    if (piece.finishReason && !piece.answerIndex) this.finishReason = piece.finishReason;
    this.usage = piece.usage ?? this.usage;
    this.servedBy = piece.servedBy ?? this.servedBy;
    if (piece.answerIndex) return undefined; // a further answer
    this.reasoning += piece.reasoningDelta;
    for (const { index, id, name, argumentsDelta } of piece.toolCallDeltas) {
      const call = (this.toolCalls[index] ??= { id, name, arguments: "" });
      call.arguments += argumentsDelta;
    }
    this.text += piece.delta;
    return piece.delta || undefined;
  }

  /** Waits for the end and returns the whole text. */
  async read(): Promise<string> {
    for await (const _ of this);
    return this.text;
  }
}

/** Yields speech: samples (signed 16-bit little-endian, mono), or the bytes of the encoding that was asked for. */
export class SpeechStream extends Stream<SynthesizeResponse, Uint8Array> {
  /** Sample rate in hertz; 0 until the first piece was received. */
  sampleRate = 0;
  /** The sentences that have started. */
  readonly sentences: string[] = [];
  /** Words with their times, if the voice gives them or they are aligned. */
  readonly words: SpokenWord[] = [];

  constructor(
    messages: AsyncGenerator<SynthesizeResponse, void, undefined>,
    /** Whether the bytes are samples. */
    readonly isPcm: boolean,
  ) {
    super(messages);
  }

  protected take(piece: SynthesizeResponse): Uint8Array | undefined {
    this.sampleRate ||= piece.sampleRateHertz;
    if (piece.sentence) this.sentences.push(piece.sentence);
    this.words.push(...piece.words);
    this.servedBy = piece.servedBy ?? this.servedBy;
    return piece.audio.length > 0 ? piece.audio : undefined;
  }

  /** Waits for the end and returns the bytes that were not read yet. */
  async read(): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this) pieces.push(piece);
    return joined(pieces);
  }

  /** Waits for the end and returns the samples that were not read yet as a WAV file. */
  async wav(): Promise<Wav> {
    if (!this.isPcm) throw new TypeError("speech with an output encoding is a file already: use read()");
    const pcm = await this.read();
    return new Wav(pcm, { sampleRate: this.sampleRate });
  }
}

/** A transcription, as far as it was received. */
export class TranscriptionState {
  /** Text of the final segments so far; the whole text at the end. */
  text = "";
  /** The complete transcript; undefined until the end. */
  transcript: Transcript | undefined;

  /** Takes an event. */
  add({ event }: TranscriptionEvent): void {
    if (event.case === "segment") this.text = `${this.text} ${event.value.text.trim()}`.trim();
    if (event.case === "final") {
      this.transcript = event.value;
      this.text = event.value.text;
    }
  }
}

/** A message of a stream of events. */
export interface EventMessage {
  event?: TranscriptionEvent | undefined;
  servedBy?: ServedBy | undefined;
}

/** Yields the events of a transcription: interim results, final segments, and the complete transcript. */
export class TranscriptionStream extends Stream<EventMessage, TranscriptionEvent> {
  readonly #state = new TranscriptionState();

  /** Text of the final segments so far; the whole text at the end. */
  get text(): string {
    return this.#state.text;
  }

  /** The complete transcript; undefined until the end. */
  get transcript(): Transcript | undefined {
    return this.#state.transcript;
  }

  protected take({ event, servedBy }: EventMessage): TranscriptionEvent | undefined {
    this.servedBy = servedBy ?? this.servedBy;
    if (event) this.#state.add(event);
    return event;
  }

  /** Waits for the end and returns the whole text. */
  async read(): Promise<string> {
    for await (const _ of this);
    return this.text;
  }
}
