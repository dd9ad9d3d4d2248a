/** Converts JavaScript values to fields of requests. */

import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { AudioEncoding } from "./gen/modelgateway/v1/transcription_pb.js";
import type { TranscriptionConfigSchema } from "./gen/modelgateway/v1/transcription_pb.js";
import type { SynthesizeRequestSchema } from "./gen/modelgateway/v1/synthesis_pb.js";
import { type ChatRequestSchema, ResponseFormatType, Role, type ToolCall, ToolChoiceMode } from "./gen/modelgateway/v1/chat_pb.js";
import { Priority, type RoutingSchema, type SamplingOptionsSchema } from "./gen/modelgateway/v1/common_pb.js";
import { ExplanationLanguage } from "./gen/modelgateway/v1/tutor_pb.js";
import type { CallOptions } from "./calls.js";

const roles = { system: Role.SYSTEM, user: Role.USER, assistant: Role.ASSISTANT, tool: Role.TOOL } as const;

const priorities = {
  low: Priority.LOW, normal: Priority.NORMAL, high: Priority.HIGH, critical: Priority.CRITICAL,
} as const;

const languages = { en: ExplanationLanguage.ENGLISH, vi: ExplanationLanguage.VIETNAMESE } as const;

const toolModes = { auto: ToolChoiceMode.AUTO, none: ToolChoiceMode.NONE, required: ToolChoiceMode.REQUIRED } as const;

const encodings = { pcm: 1, wav: 3, flac: 4, mp3: 5, opus: 6 } as const satisfies Record<string, AudioEncoding>;

/** A message of a conversation: ["user", "Hello"], { role: "user", content: "Hello" }, or a ChatMessage of the API. */
export type Turn =
  | readonly [role: keyof typeof roles, content: string]
  | {
      role: keyof typeof roles | Role;
      content?: string | undefined;
      reasoning?: string | undefined;
      toolCalls?: ToolCall[] | { id?: string; name: string; arguments: string }[] | undefined;
      toolCallId?: string | undefined;
    };

/** A conversation, or a single message of the user. */
export type Conversation = string | readonly Turn[];

/** How tokens are sampled, such as { temperature: 0, maxTokens: 64 }. */
export type Sampling = MessageInitShape<typeof SamplingOptionsSchema>;

/** The name of a priority, or its value. */
export type PriorityName = keyof typeof priorities | Priority;

/** Which models may answer, such as { localOnly: true, priority: "high" }. */
export interface Routing {
  localOnly?: boolean | undefined;
  noFallback?: boolean | undefined;
  priority?: PriorityName | undefined;
}

/** A JSON Schema, as an object or as text. */
export type Schema = string | object;

/** A function of your program that the model may call. */
export interface Tool {
  name: string;
  description?: string | undefined;
  /** JSON Schema of the arguments. Default: no arguments. */
  parameters?: Schema | undefined;
}

/** What all requests for a model take. */
export interface RequestOptions extends CallOptions {
  /** Default: the model of the task. */
  model?: string | undefined;
  routing?: Routing | undefined;
}

/** Options of `chat` and `streamChat`; the messages of the API document them. */
export interface ChatOptions extends RequestOptions {
  systemPrompt?: string | undefined;
  sampling?: Sampling | undefined;
  thinking?: boolean | undefined;
  /** A JSON Schema that the answer is valid for. */
  responseSchema?: Schema | undefined;
  tools?: readonly Tool[] | undefined;
  /** "auto", "none", "required", or the name of a tool. */
  toolChoice?: string | undefined;
  parallelToolCalls?: boolean | undefined;
  /** How many of the most likely tokens to return for each token. */
  logprobs?: number | undefined;
  /** Number of answers. Default 1. */
  n?: number | undefined;
}

/** Options of `transcribe` and its siblings; the API's TranscriptionConfig documents them. */
export interface TranscriptionOptions extends RequestOptions {
  /** Only for raw samples: `pcm(rate)`. */
  format?: AudioFormatInit | undefined;
  language?: string | undefined;
  translate?: boolean | undefined;
  initialPrompt?: string | undefined;
  wordTimestamps?: boolean | undefined;
  beamSize?: number | undefined;
}

/** Options of live speech. */
export interface LiveOptions extends TranscriptionOptions {
  /** Whether interim results are sent. Default true. */
  interimResults?: boolean | undefined;
}

/** How raw samples are coded. */
export interface AudioFormatInit {
  encoding: AudioEncoding;
  sampleRateHertz?: number;
  channelCount?: number;
}

/** Options of `synthesize`; the API's SynthesizeRequest documents them. */
export interface SpeechOptions extends RequestOptions {
  /** Phonemes to say instead of the text. */
  phonemes?: string | undefined;
  speaker?: string | undefined;
  speed?: number | undefined;
  volume?: number | undefined;
  noiseScale?: number | undefined;
  noiseW?: number | undefined;
  sentenceSilenceMs?: number | undefined;
  /** Find the times of words if the voice gives none. */
  alignWords?: boolean | undefined;
  /** Default: samples of 16 bits at the voice's rate. */
  output?:
    | { encoding: keyof typeof encodings; bitrate?: number | undefined; sampleRateHertz?: number | undefined }
    | undefined;
}

function turn(value: Turn) {
  if (isPair(value)) return { role: named(roles, value[0], "role"), content: value[1] };
  const { content, reasoning, toolCalls, toolCallId } = value;
  return defined({ role: named(roles, value.role, "role"), content, reasoning, toolCalls, toolCallId });
}

function isPair(value: Turn): value is readonly [keyof typeof roles, string] {
  return Array.isArray(value);
}

/** Converts messages. */
export function turns(values: readonly Turn[]) {
  return values.map(turn);
}

/** Converts what `chat` and `streamChat` take. */
export function chatRequest(messages: Conversation, options: ChatOptions): MessageInitShape<typeof ChatRequestSchema> {
  const { systemPrompt, sampling, thinking, responseSchema, tools, toolChoice, parallelToolCalls, logprobs, n } = options;
  const conversation: readonly Turn[] = typeof messages === "string" ? [["user", messages]] : messages;
  return defined({
    messages: turns(systemPrompt ? [["system", systemPrompt], ...conversation] : conversation),
    sampling,
    thinking,
    model: options.model,
    routing: routing(options.routing),
    responseFormat:
      responseSchema === undefined
        ? undefined
        : { type: ResponseFormatType.JSON_SCHEMA, jsonSchema: jsonText(responseSchema) },
    tools: tools?.map(({ name, description, parameters }) =>
      defined({ name, description, parameters: parameters === undefined ? undefined : jsonText(parameters) }),
    ),
    toolChoice: toolChoice === undefined ? undefined : choice(toolChoice),
    parallelToolCalls,
    logprobs: logprobs === undefined ? undefined : true,
    topLogprobs: logprobs,
    n,
  });
}

function choice(name: string) {
  return Object.hasOwn(toolModes, name)
    ? { mode: toolModes[name as keyof typeof toolModes] }
    : { mode: ToolChoiceMode.REQUIRED, toolName: name };
}

function jsonText(schema: Schema): string {
  return typeof schema === "string" ? schema : JSON.stringify(schema);
}

/** Converts a routing. */
export function routing(value: Routing | undefined): MessageInitShape<typeof RoutingSchema> | undefined {
  return value && defined({ ...value, priority: priority(value.priority) });
}

/** Converts a priority. */
export function priority(value: PriorityName | undefined): Priority | undefined {
  return value === undefined ? undefined : named(priorities, value, "priority");
}

/** Converts the language of explanations. */
export function explanationLanguage(value: "en" | "vi" | undefined): ExplanationLanguage | undefined {
  return value === undefined ? undefined : named(languages, value, "explanationLanguage");
}

/** Converts what `transcribe` and its siblings take. */
export function transcriptionConfig(options: LiveOptions): MessageInitShape<typeof TranscriptionConfigSchema> {
  const { format, language, translate, initialPrompt, wordTimestamps, beamSize, interimResults, model } = options;
  return defined({
    format,
    language,
    translate,
    initialPrompt,
    wordTimestamps,
    beamSize,
    interimResults,
    model,
    routing: routing(options.routing),
  });
}

/** Converts what `synthesize` takes. */
export function speechRequest(text: string, options: SpeechOptions): MessageInitShape<typeof SynthesizeRequestSchema> {
  const { phonemes, speaker, speed, volume, noiseScale, noiseW, sentenceSilenceMs, alignWords, output, model } = options;
  return defined({
    input: phonemes ? { case: "phonemes" as const, value: phonemes } : { case: "text" as const, value: text },
    speaker,
    speed,
    volume,
    noiseScale,
    noiseW,
    sentenceSilence: sentenceSilenceMs === undefined ? undefined : durationFromMs(sentenceSilenceMs),
    alignWords,
    output: output && defined({ ...output, encoding: named(encodings, output.encoding, "output.encoding") }),
    model,
    routing: routing(options.routing),
  });
}

/** Converts untyped parameters. Bytes become base64; undefined is left out. */
export function params(values: Readonly<Record<string, unknown>>): JsonObject {
  return JSON.parse(JSON.stringify(values, (_, value: unknown) => (isBytes(value) ? base64(value) : value))) as JsonObject;
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** Returns the value for a name, or the value itself. Throws a TypeError for an unknown name. */
function named<T extends string | number>(values: Readonly<Record<string, T>>, name: string | T, what: string): T {
  if (typeof name !== "string") return name;
  if (Object.hasOwn(values, name)) return values[name]!;
  const names = Object.keys(values).map((known) => `"${known}"`);
  throw new TypeError(`${what} must be ${names.join(", ")}, not ${JSON.stringify(name)}`);
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Returns the object without the properties that are undefined. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}
