/** The client for browsers and React Native, over gRPC-Web. */

import { createGrpcWebTransport } from "@connectrpc/connect-web";
import type { RecognizeResponse } from "../gen/modelgateway/v1/transcription_pb.js";
import { type AudioSource, formatOf, release } from "../audio.js";
import { Deadline, leavable, linked, timeouts } from "../calls.js";
import { type BaseOptions, BaseClient } from "../client.js";
import type { LiveOptions, TranscriptionOptions } from "../requests.js";
import { TranscriptionStream } from "../results.js";
import { follow } from "../session.js";
import { overSocket } from "./socket.js";

const hint =
  "Check that the server runs, that its address is right, and that this page's origin is in cors.allowed_origins of its " +
  "configuration.";

/** Options of a client. */
export interface ClientOptions extends BaseOptions {
  /** What makes the requests. Default: `fetch`. In React Native it must be one that streams, such as that of expo/fetch. */
  fetch?: typeof globalThis.fetch | undefined;
}

/** Options of `streamTranscribe`. */
export interface StreamTranscribeOptions extends LiveOptions {
  /**
   * How audio is sent. "session", the default, survives a connection that breaks; "websocket" needs a single connection
   * and no `fetch` that streams.
   */
  over?: "session" | "websocket" | undefined;
}

/** A client for a server. Failed calls throw subclasses of ModelGatewayError. */
export class Client extends BaseClient {
  /** URL of the server's HTTP port. */
  readonly baseUrl: string;
  private readonly fetch: typeof globalThis.fetch;

  /** @param baseUrl URL of the server's HTTP port, such as "https://models.example.org"; default: the page's origin. */
  constructor(baseUrl?: string, options: ClientOptions = {}) {
    const resolved = (baseUrl ?? globalThis.location?.origin ?? "http://127.0.0.1:8001").replace(/\/+$/, "");
    const fetch = options.fetch;
    super({ transport: createGrpcWebTransport({ baseUrl: resolved, ...(fetch && { fetch }) }), hint }, options);
    this.baseUrl = resolved;
    this.fetch = fetch ?? ((...request) => globalThis.fetch(...request));
  }

  /** Transcribes a recording of at most 64 MiB: it is sent when all of it is there. */
  transcribe(audio: AudioSource, options: TranscriptionOptions = {}): Promise<RecognizeResponse> {
    return this.recognize(audio, options);
  }

  /**
   * Transcribes speech while it is spoken, such as that of `microphone()`. Iterate over the result to get the events; when
   * the audio ends, the server sends the final result. The default timeout is one hour.
   */
  streamTranscribe(audio: AudioSource, options: StreamTranscribeOptions = {}): TranscriptionStream {
    const { over = "session", ...live } = { format: formatOf(audio), ...options };
    return new TranscriptionStream(
      leavable((left) => {
        left.addEventListener("abort", () => release(audio));
        return this.transcribed(audio, live, over, left);
      }),
    );
  }

  private async *transcribed(audio: AudioSource, options: LiveOptions, over: "session" | "websocket", left: AbortSignal) {
    const { timeoutMs } = this.limits(options, timeouts.live);
    const live = over === "websocket" ? timeoutMs : Infinity; // a session has its own timeout
    const { signal, release: unlink } = linked(new Deadline(live), options.signal, this.closing.signal, left);
    try {
      if (over === "websocket") {
        const target = { baseUrl: this.baseUrl, key: await this.apiKey(), fetch: this.fetch, hint };
        yield* overSocket(target, audio, options, signal);
      } else yield* follow(await this.openTranscription({ ...options, signal }), audio);
    } finally {
      unlink();
      release(audio); // a microphone does not stay on
    }
  }
}
