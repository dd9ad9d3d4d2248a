/** The client for Node.js, over HTTP/2. */

import { connect } from "node:net";
import type { SecureClientSessionOptions } from "node:http2";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { TranscribeResponse } from "../gen/modelgateway/v1/transcription_pb.js";
import { type AudioSource, formatOf, pieces, replayable } from "../audio.js";
import { leavable, timeouts } from "../calls.js";
import { type BaseOptions, BaseClient, isPcm } from "../client.js";
import * as requests from "../requests.js";
import type { LiveOptions, SpeechOptions, TranscriptionOptions } from "../requests.js";
import { TranscriptionStream } from "../results.js";
import { FileSource, type Path, SpeechStream } from "./files.js";

/** Default address of a server. */
export const defaultAddress = "127.0.0.1:50051";

const hint =
  'Start a server with "modelgateway serve", or set the address or MODELGATEWAY_ADDR to a running one.';

/** A connection to a server that is gone without a word ends after so long. */
const pings = { pingIntervalMs: 10_000, pingTimeoutMs: 10_000 };

/** Options of a client. */
export interface ClientOptions extends BaseOptions {
  /** true, or options of TLS (`ca`, `cert`, `key`, …), if the server, or a proxy in front of it, uses TLS. */
  tls?: boolean | SecureClientSessionOptions | undefined;
}

/**
 * A client for a server. It connects at the first call; `close` ends its connection. Failed calls throw subclasses of
 * ModelGatewayError.
 */
export class Client extends BaseClient<Path> {
  private readonly sessions: Http2SessionManager;
  /** Address of the server. */
  readonly address: string;

  /** @param address "host:port" or "unix:/path"; default $MODELGATEWAY_ADDR, or 127.0.0.1:50051. */
  constructor(address?: string, options: ClientOptions = {}) {
    const resolved = address || process.env["MODELGATEWAY_ADDR"] || defaultAddress;
    const tls = options.tls ?? false;
    const socket = resolved.startsWith("unix:") ? resolved.slice("unix:".length) : undefined;
    const baseUrl = `${tls ? "https" : "http"}://${socket ? "localhost" : resolved}`;
    const sessions = new Http2SessionManager(baseUrl, pings, {
      ...(typeof tls === "object" && tls),
      ...(socket && { createConnection: () => connect(socket) }),
    });
    super(
      { transport: createGrpcTransport({ baseUrl, sessionManager: sessions }), hint },
      { apiKey: process.env["MODELGATEWAY_API_KEY"], ...options },
    );
    this.address = resolved;
    this.sessions = sessions;
  }

  override close(): void {
    super.close();
    this.sessions.abort();
  }

  /** Transcribes a recording of any length: bytes, the path of a file, or what yields bytes. */
  async transcribe(audio: AudioSource | Path, options: TranscriptionOptions = {}): Promise<TranscribeResponse> {
    const source = this.source(audio);
    const config = requests.transcriptionConfig({ format: formatOf(source), ...options });
    let failure: Failure = {};
    try {
      return await this.caller.unary((call) => this.models.transcribe(sent(config, source, (failure = {})), call), {
        ...this.limits(options),
        retry: replayable(source) || source instanceof FileSource,
      });
    } catch (error) {
      throw failure.cause ? failure.cause.error : error;
    }
  }

  /**
   * Transcribes speech while it is spoken. Iterate over the result to get the events; when the audio ends, the server
   * sends the final result. The default timeout is one hour. If the connection may break, use `openTranscription`.
   */
  streamTranscribe(audio: AudioSource | Path, options: LiveOptions = {}): TranscriptionStream {
    const source = this.source(audio);
    const config = requests.transcriptionConfig({ interimResults: true, format: formatOf(source), ...options });
    const failure: Failure = {};
    const events = this.caller.stream((call) => this.models.streamTranscribe(sent(config, source, failure), call), {
      ...this.limits(options, timeouts.live),
      retry: false,
    });
    return new TranscriptionStream(leavable((left) => orFailure(events, failure, left)));
  }

  /** Turns text into speech. Iterate over the result to get it while it is made, or use `read`, `wav` or `save`. */
  override synthesize(text: string, options: SpeechOptions = {}): SpeechStream {
    return new SpeechStream(this.speech(text, options), isPcm(options));
  }

  protected override source(audio: AudioSource | Path): AudioSource {
    return typeof audio === "string" || audio instanceof URL ? new FileSource(audio) : audio;
  }
}

/** What reading the audio threw. */
interface Failure {
  cause?: { error: unknown };
}

type Config = ReturnType<typeof requests.transcriptionConfig>;

/**
 * Yields the requests of a stream. An exception of the source is kept, because the call throws another one. What the call
 * itself throws into this generator when it fails is none of the source.
 */
async function* sent(config: Config, source: AudioSource, failure: Failure) {
  const read = pieces(source);
  try {
    yield { payload: { case: "config" as const, value: config } };
    for (;;) {
      const piece = await read.next().catch((error: unknown) => {
        failure.cause = { error };
        throw error;
      });
      if (piece.done) return;
      yield { payload: { case: "audio" as const, value: piece.value } };
    }
  } finally {
    await read.return();
  }
}

async function* orFailure<T>(messages: AsyncGenerator<T, void, undefined>, failure: Failure, left: AbortSignal) {
  left.addEventListener("abort", () => void messages.return());
  try {
    yield* messages;
  } catch (error) {
    throw failure.cause ? failure.cause.error : error;
  }
}
