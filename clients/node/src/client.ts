/** What the clients for Node.js and for the web have in common. */

import type { JsonObject } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Client as ServiceClient, createClient, type Transport } from "@connectrpc/connect";
import type { CreateAccessTokenResponse } from "./gen/modelgateway/v1/auth_pb.js";
import { type LoadModelResponse, ModelAdminService, type PlanLoadResponse, type UnloadModelResponse, type WatchModelsResponse } from "./gen/modelgateway/v1/admin_pb.js";
import type { ChatResponse } from "./gen/modelgateway/v1/chat_pb.js";
import type { ServedBy } from "./gen/modelgateway/v1/common_pb.js";
import type { Model } from "./gen/modelgateway/v1/model_pb.js";
import type { PronunciationResponse } from "./gen/modelgateway/v1/pronunciation_pb.js";
import { ModelGatewayService } from "./gen/modelgateway/v1/service_pb.js";
import type { Voice } from "./gen/modelgateway/v1/synthesis_pb.js";
import type { StatusResponse } from "./gen/modelgateway/v1/status_pb.js";
import type { RecognizeResponse } from "./gen/modelgateway/v1/transcription_pb.js";
import type { ExplainVietnameseResponse, GrammarResponse, RespondResponse } from "./gen/modelgateway/v1/tutor_pb.js";
import { type AudioSource, formatOf, whole } from "./audio.js";
import { Caller, type CallOptions, type Retry, timeouts } from "./calls.js";
import * as requests from "./requests.js";
import type { AudioFormatInit, ChatOptions, Conversation, LiveOptions, RequestOptions, Sampling, SpeechOptions, TranscriptionOptions, Turn } from "./requests.js";
import { ChatStream, SpeechStream } from "./results.js";
import { OpenTranscription } from "./session.js";

/** Options of every client. */
export interface BaseOptions {
  /** Default timeout of requests for models, including the load of the model. Default 120,000. */
  timeoutMs?: number | undefined;
  /**
   * An API key or access token, sent as `authorization: Bearer …`. A function is called before each call, so that it can
   * return a new token when the old one ends.
   */
  apiKey?: string | (() => string | Promise<string>) | undefined;
  /** Further headers of every call. */
  headers?: Readonly<Record<string, string>> | undefined;
  retry?: Retry | undefined;
}

/** Result of `executeTask` and `invoke`. */
export interface TaskResult {
  /** The result; bytes are base64. */
  data: JsonObject;
  servedBy: ServedBy | undefined;
}

/** How a client reaches its server. */
export interface Connection {
  transport: Transport;
  /** What to do if the server cannot be reached. */
  hint: string;
}

/** A client. `Source` is what it can read audio from besides AudioSource. */
export class BaseClient<Source = never> {
  /** The generated clients, for calls without a method in this class. */
  readonly models: ServiceClient<typeof ModelGatewayService>;
  readonly admin: ServiceClient<typeof ModelAdminService>;
  protected caller: Caller;
  protected readonly timeoutMs: number;
  protected readonly apiKey: () => Promise<string | undefined>;
  protected readonly closing = new AbortController();

  constructor({ transport, hint }: Connection, options: BaseOptions) {
    const { apiKey, headers = {}, retry = {}, timeoutMs = timeouts.inference } = options;
    this.apiKey = async () => (typeof apiKey === "function" ? await apiKey() : apiKey);
    this.models = createClient(ModelGatewayService, transport);
    this.admin = createClient(ModelAdminService, transport);
    this.timeoutMs = timeoutMs;
    this.caller = new Caller(retry, async () => {
      const all = new Headers(headers);
      const key = await this.apiKey();
      if (key) all.set("authorization", `Bearer ${key}`);
      return all;
    }, hint, this.closing.signal);
  }

  /** Cancels all calls. The client cannot be used after that. */
  close(): void {
    this.closing.abort(new Error("the client was closed"));
  }

  /**
   * Returns a client for the calls of one conversation, on the same connection. `id` is any text. A proxy in front of several
   * servers can send these calls to the same one, which has computed the beginning of the conversation already: they have
   * the header mg-affinity, a hash of the id.
   */
  conversation(id: string): this {
    const bound = Object.create(this) as this;
    bound.caller = this.caller.of(id);
    return bound;
  }

  // Language

  /** Continues a conversation and returns the whole answer; its text is in `message.content`. */
  chat(messages: Conversation, options: ChatOptions = {}): Promise<ChatResponse> {
    const request = requests.chatRequest(messages, options);
    return this.caller.unary((call) => this.models.chat(request, call), this.limits(options));
  }

  /** Continues a conversation. Iterate over the result to get the pieces of the answer. */
  streamChat(messages: Conversation, options: ChatOptions = {}): ChatStream {
    const { $typeName: _, ...request } = { $typeName: undefined, ...requests.chatRequest(messages, options) };
    return new ChatStream(this.caller.stream((call) => this.models.streamChat(request, call), this.limits(options)));
  }

  /** Corrects English text. */
  grammar(
    text: string,
    options: RequestOptions & { explanationLanguage?: "en" | "vi" | undefined; sampling?: Sampling | undefined } = {},
  ): Promise<GrammarResponse> {
    const request = requests.defined({
      text,
      explanationLanguage: requests.explanationLanguage(options.explanationLanguage),
      ...common(options),
    });
    return this.caller.unary((call) => this.models.grammar(request, call), this.limits(options));
  }

  /** Answers a learner as a tutor. `level` is a CEFR level such as "A2". */
  respond(
    text: string,
    options: RequestOptions & {
      history?: readonly Turn[] | undefined;
      level?: string | undefined;
      systemPrompt?: string | undefined;
      sampling?: Sampling | undefined;
    } = {},
  ): Promise<RespondResponse> {
    const { history = [], level, systemPrompt } = options;
    const request = requests.defined({ text, history: requests.turns(history), level, systemPrompt, ...common(options) });
    return this.caller.unary((call) => this.models.respond(request, call), this.limits(options));
  }

  /** Explains English in Vietnamese. */
  explainVietnamese(
    text: string,
    options: RequestOptions & { question?: string | undefined; sampling?: Sampling | undefined } = {},
  ): Promise<ExplainVietnameseResponse> {
    const request = requests.defined({ text, question: options.question, ...common(options) });
    return this.caller.unary((call) => this.models.explainVietnamese(request, call), this.limits(options));
  }

  // Speech

  /** Transcribes a recording of at most 64 MiB, sent in one message. */
  async recognize(audio: AudioSource | Source, options: TranscriptionOptions = {}): Promise<RecognizeResponse> {
    const source = await this.source(audio);
    const config = requests.transcriptionConfig({ format: formatOf(source), ...options });
    const request = { config, audio: await whole(source) };
    return await this.caller.unary((call) => this.models.recognize(request, call), this.limits(options));
  }

  /**
   * Opens a transcription session: `push` sends audio, and iterating gives the events. It survives a connection that
   * breaks for less than half a minute. The default timeout is one hour.
   */
  openTranscription(options: LiveOptions = {}): Promise<OpenTranscription> {
    const config = requests.transcriptionConfig({ interimResults: true, ...options });
    return OpenTranscription.open(this.caller, this.models, config, this.limits(options, timeouts.live));
  }

  /** Turns text into speech. Iterate over the result to get it while it is made, or use `read` or `wav`. */
  synthesize(text: string, options: SpeechOptions = {}): SpeechStream {
    return new SpeechStream(this.speech(text, options), isPcm(options));
  }

  protected speech(text: string, options: SpeechOptions) {
    const request = requests.speechRequest(text, options);
    return this.caller.stream((call) => this.models.synthesize(request, call), this.limits(options, timeouts.live));
  }

  /** Scores how well a text was read aloud, in a recording of at most 64 MiB. */
  async pronunciation(
    audio: AudioSource | Source,
    referenceText: string,
    options: RequestOptions & { format?: AudioFormatInit | undefined } = {},
  ): Promise<PronunciationResponse> {
    const source = await this.source(audio);
    const request = requests.defined({
      format: options.format ?? formatOf(source),
      audio: await whole(source),
      referenceText,
      model: options.model,
      routing: requests.routing(options.routing),
    });
    return await this.caller.unary((call) => this.models.pronunciation(request, call), this.limits(options));
  }

  // Calls with untyped parameters

  /** Runs a task by its name; bytes in the parameters are sent as base64. */
  async executeTask(
    taskType: string,
    params: Readonly<Record<string, unknown>> = {},
    options: Omit<RequestOptions, "model"> = {},
  ): Promise<TaskResult> {
    const request = requests.defined({ taskType, params: requests.params(params), routing: requests.routing(options.routing) });
    const answer = await this.caller.unary((call) => this.models.executeTask(request, call), this.limits(options));
    return { data: answer.data ?? {}, servedBy: answer.servedBy };
  }

  /** Calls a method of one model by its name; bytes in the parameters are sent as base64. */
  async invoke(
    modelName: string,
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    options: Omit<RequestOptions, "model"> = {},
  ): Promise<TaskResult> {
    const request = requests.defined({
      modelName,
      method,
      params: requests.params(params),
      routing: requests.routing(options.routing),
    });
    const answer = await this.caller.unary((call) => this.models.invoke(request, call), this.limits({ ...options, model: modelName }));
    return { data: answer.data ?? {}, servedBy: answer.servedBy };
  }

  // The server and its models

  /** Returns the state of the server and its models. */
  status(options: CallOptions = {}): Promise<StatusResponse> {
    return this.caller.unary((call) => this.models.status({}, call), this.limits(options, timeouts.admin));
  }

  /**
   * Makes an access token from the client's API key, for an app that calls the server itself. Everything besides the
   * lifetime restricts what the key allows.
   */
  createAccessToken(
    options: CallOptions & {
      subject?: string | undefined;
      /** Default: ten minutes. */
      lifetimeMs?: number | undefined;
      tasks?: string[] | undefined;
      models?: string[] | undefined;
      maxPriority?: requests.PriorityName | undefined;
      cloud?: boolean | undefined;
    } = {},
  ): Promise<CreateAccessTokenResponse> {
    const { subject, lifetimeMs = 600_000, tasks, models, maxPriority, cloud } = options;
    const request = requests.defined({
      subject, lifetime: durationFromMs(lifetimeMs), tasks, models, maxPriority: requests.priority(maxPriority), cloud,
    });
    return this.caller.unary((call) => this.models.createAccessToken(request, call), this.limits(options, timeouts.admin));
  }

  /** Returns the voices that may speak; the first one does if a request names none. */
  async listVoices(options: CallOptions = {}): Promise<Voice[]> {
    const answer = await this.caller.unary((call) => this.models.listVoices({}, call), this.limits(options, timeouts.admin));
    return answer.voices;
  }

  /** Returns all models, in the order of the configuration. */
  async listModels(options: CallOptions = {}): Promise<Model[]> {
    const answer = await this.caller.unary((call) => this.admin.listModels({}, call), this.limits(options, timeouts.admin));
    return answer.models;
  }

  /** Returns one model. */
  async getModel(name: string, options: CallOptions = {}): Promise<Model> {
    const answer = await this.caller.unary((call) => this.admin.getModel({ name }, call), this.limits(options, timeouts.admin));
    return answer.model!;
  }

  /** Loads a model before its first request and returns it. `pin` keeps it loaded until `unloadModel`. */
  async loadModel(
    name: string,
    options: CallOptions & {
      pin?: boolean | undefined;
      priority?: requests.PriorityName | undefined;
      /** Is called with each report of progress. */
      progress?: ((report: LoadModelResponse) => void) | undefined;
    } = {},
  ): Promise<Model> {
    const request = requests.defined({ name, pin: options.pin, priority: requests.priority(options.priority) });
    let model: Model | undefined;
    const reports = this.caller.stream((call) => this.admin.loadModel(request, call), this.limits(options, timeouts.load));
    for await (const report of reports) {
      model = report.model ?? model;
      options.progress?.(report);
    }
    return model!;
  }

  /** Unpins a model and unloads it after its current requests. */
  unloadModel(name: string, options: CallOptions = {}): Promise<UnloadModelResponse> {
    return this.caller.unary((call) => this.admin.unloadModel({ name }, call), this.limits(options));
  }

  /** Reports whether a model would fit now, and which models would be evicted for it. Changes nothing. */
  planLoad(
    name: string,
    options: CallOptions & { priority?: requests.PriorityName | undefined } = {},
  ): Promise<PlanLoadResponse> {
    const request = requests.defined({ name, priority: requests.priority(options.priority) });
    return this.caller.unary((call) => this.admin.planLoad(request, call), this.limits(options, timeouts.admin));
  }

  /** Yields state changes of the models, starting with their current states. */
  watchModels(name = "", options: CallOptions = {}): AsyncGenerator<WatchModelsResponse, void, undefined> {
    return this.caller.stream((call) => this.admin.watchModels({ name }, call), this.limits(options, Infinity));
  }

  /** Returns the limits of one call. */
  protected limits({ timeoutMs, signal, model }: CallOptions & { model?: string | undefined }, byDefault = this.timeoutMs) {
    return { timeoutMs: timeoutMs ?? byDefault, signal, model };
  }

  /** Opens a source. */
  protected source(audio: AudioSource | Source): AudioSource | Promise<AudioSource> {
    return audio as AudioSource;
  }
}

/** Reports whether speech is samples. */
export function isPcm({ output }: SpeechOptions): boolean {
  return output === undefined || output.encoding === "pcm";
}

function common(options: RequestOptions & { sampling?: Sampling | undefined }) {
  return { sampling: options.sampling, model: options.model, routing: requests.routing(options.routing) };
}
