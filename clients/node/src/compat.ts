/** The calls of the Python gateway: results are objects, and a task that fails throws nothing. */

import { Code } from "@connectrpc/connect";
import { FallbackReason } from "./gen/modelgateway/v1/common_pb.js";
import { type Model, ModelState } from "./gen/modelgateway/v1/model_pb.js";
import type { StatusResponse } from "./gen/modelgateway/v1/status_pb.js";
import type { CallOptions } from "./calls.js";
import type { BaseClient, TaskResult } from "./client.js";
import { ModelGatewayError } from "./errors.js";

/** What a task gave. */
export type GatewayResult =
  | {
      success: true;
      /** The result of the task; `audio` is a Uint8Array. */
      data: Record<string, unknown>;
      error: null;
      model: string | undefined;
      engine: string | undefined;
      fallback: boolean;
      /** Such as "MEMORY_BUSY"; null if no fallback was used. */
      fallbackReason: string | null;
      latencyMs: number;
    }
  | {
      success: false;
      data: null;
      error: string;
      /** Such as "MODEL_NOT_FOUND". */
      reason: string;
      retryAfterMs: number | undefined;
      model: string | undefined;
      latencyMs: number;
    };

const speaking = new Set<unknown>(["tts", "synthesize"]);
const statusTimeoutMs = 5000;

/** A gateway with the calls of the Python gateway, on top of a client. */
export class Gateway {
  constructor(
    /** The typed client that this object uses. */
    readonly client: Pick<BaseClient, "executeTask" | "invoke" | "status">,
    private readonly options: {
      /** Keeps every request on the server's machine. */
      localOnly?: boolean | undefined;
    } = {},
  ) {}

  /**
   * Runs a task: chat, grammar, respond, explain_vietnamese, transcribe, synthesize, pronunciation, one of their names in
   * the Python gateway (response, explain_vi, vietnamese, stt, tts), or one of the server's configuration.
   */
  executeTask(taskType: string, params: Record<string, unknown> = {}, options: CallOptions = {}): Promise<GatewayResult> {
    return result(this.client.executeTask(taskType, params, this.#routed(options)), speaking.has(taskType));
  }

  /**
   * Calls a method of one model: chat, analyze_grammar, generate_response, transcribe, synthesize, analyze_pronunciation,
   * explain_vietnamese, "invoke" with params.task, or a method of its engine.
   */
  invoke(
    modelName: string,
    method: string,
    params: Record<string, unknown> = {},
    options: CallOptions = {},
  ): Promise<GatewayResult> {
    const speech = method === "synthesize" || (method === "invoke" && speaking.has(params["task"]));
    return result(this.client.invoke(modelName, method, params, this.#routed(options)), speech);
  }

  /** Returns the status in the format of the Python gateway. Throws a ModelGatewayError if the server does not answer. */
  async getStatus(options: CallOptions = {}): Promise<GatewayStatus> {
    return gatewayStatus(await this.client.status({ timeoutMs: statusTimeoutMs, ...options }));
  }

  #routed(options: CallOptions) {
    return this.options.localOnly ? { ...options, routing: { localOnly: true } } : options;
  }
}

async function result(call: Promise<TaskResult>, speech: boolean): Promise<GatewayResult> {
  const began = performance.now();
  const latencyMs = () => Math.round(performance.now() - began);
  try {
    const { data, servedBy: by } = await call;
    const audio = data["audio"];
    return {
      success: true,
      data: speech && typeof audio === "string" ? { ...data, audio: bytes(audio) } : data,
      error: null,
      model: by?.model,
      engine: by?.engine,
      fallback: by?.fallback ?? false,
      fallbackReason: by?.fallback ? FallbackReason[by.fallbackReason] ?? null : null,
      latencyMs: latencyMs(),
    };
  } catch (error) {
    const known = error instanceof ModelGatewayError ? error : undefined;
    return {
      success: false,
      data: null,
      error: error instanceof Error ? error.message : String(error),
      reason: known ? known.reason || codeName(known.code) : "INVALID_REQUEST", // it was not sent
      retryAfterMs: known?.retryAfterMs,
      model: known?.metadata["model"],
      latencyMs: latencyMs(),
    };
  }
}

/** Returns the name of a code, such as "DEADLINE_EXCEEDED". */
function codeName(code: Code): string {
  return (Code[code] ?? "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function bytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** A status in the format of the Python gateway, as `gateway_status` of GET /health has it. */
export interface GatewayStatus {
  gateway: {
    uptime_seconds: number;
    total_requests: number;
    max_memory_mb: number;
    used_memory_mb: number;
    cpu_threads: number;
    draining: boolean;
  };
  loaded_models: string[];
  models: Record<string, GatewayModel>;
}

/** A model in a GatewayStatus. */
export interface GatewayModel {
  status: "unloaded" | "loading" | "ready" | "unloading" | "error";
  request_count: number;
  avg_latency_ms: number;
  engine: string;
  error_count: number;
  memory_mb: number;
  active: number;
  queued: number;
  error?: string;
  note?: string;
}

function gatewayStatus(status: StatusResponse): GatewayStatus {
  const loaded = status.models.filter(({ state }) => state === ModelState.READY || state === ModelState.DRAINING);
  return {
    gateway: {
      uptime_seconds: Number(status.uptime?.seconds ?? 0),
      total_requests: Number(status.totalRequestCount),
      max_memory_mb: mebibytes(status.memoryBudgetBytes),
      used_memory_mb: mebibytes(status.memoryUsedBytes),
      cpu_threads: status.cpuThreadsTotal,
      draining: status.draining,
    },
    loaded_models: loaded.map(({ name }) => name),
    models: Object.fromEntries(status.models.map((model) => [model.name, gatewayModel(model)])),
  };
}

const states: Partial<Record<ModelState, GatewayModel["status"]>> = {
  [ModelState.LOADING]: "loading",
  [ModelState.READY]: "ready",
  [ModelState.DRAINING]: "unloading",
  [ModelState.FAILED]: "error",
};

function gatewayModel(model: Model): GatewayModel {
  const latency = model.averageLatency;
  return {
    status: states[model.state] ?? "unloaded",
    request_count: Number(model.requestCount),
    avg_latency_ms: latency ? Number(latency.seconds) * 1000 + Math.trunc(latency.nanos / 1e6) : 0,
    engine: model.engine,
    error_count: Number(model.errorCount),
    memory_mb: mebibytes(model.memory?.chargedBytes ?? 0n),
    active: model.activeCount,
    queued: model.queuedCount,
    ...(model.failure && { error: model.failure.message }),
    ...(model.note && { note: model.note }),
  };
}

/** Rounds up, so that memory in use is never shown as 0. */
function mebibytes(size: bigint): number {
  return Math.ceil(Number(size) / (1 << 20));
}
