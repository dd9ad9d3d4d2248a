/** Errors of failed calls, one class for each reason. */

import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const domain = "modelgateway";

/** What an error has besides its message. */
export interface ErrorFields {
  reason?: string | undefined;
  code?: Code | undefined;
  retryAfterMs?: number | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
  cause?: unknown;
}

/** A call that failed. Every failed call throws it, or the subclass for its reason. */
export class ModelGatewayError extends Error {
  /** The reason of this class; "" for the base class. */
  static readonly reason: string = "";
  override readonly name: string = "ModelGatewayError";
  /** The reason, such as "MODEL_NOT_FOUND"; "" if the error does not come from the server. */
  readonly reason: string;
  /** The gRPC status code. */
  readonly code: Code;
  /** Milliseconds after which a retry can help; undefined if it cannot. */
  readonly retryAfterMs: number | undefined;
  /** Further details, such as "model". */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(message: string, fields: ErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.reason = fields.reason ?? new.target.reason;
    this.code = fields.code ?? Code.Unknown;
    this.retryAfterMs = fields.retryAfterMs;
    this.metadata = fields.metadata ?? {};
  }
}

/** A field is invalid, or the prompt does not fit into the context window. */
export class InvalidRequest extends ModelGatewayError {
  static override readonly reason = "INVALID_REQUEST";
  override readonly name = "InvalidRequest";
}

/** The first message of a stream has no config. */
export class ConfigNotFirst extends ModelGatewayError {
  static override readonly reason = "CONFIG_NOT_FIRST";
  override readonly name = "ConfigNotFirst";
}

/** The audio format is not supported, or the audio is damaged. */
export class AudioUnreadable extends ModelGatewayError {
  static override readonly reason = "AUDIO_UNREADABLE";
  override readonly name = "AudioUnreadable";
}

/** The configuration has no model of that name. */
export class ModelNotFound extends ModelGatewayError {
  static override readonly reason = "MODEL_NOT_FOUND";
  override readonly name = "ModelNotFound";
}

/** The configuration has no such task. */
export class TaskUnknown extends ModelGatewayError {
  static override readonly reason = "TASK_UNKNOWN";
  override readonly name = "TaskUnknown";
}

/** The model needs more memory than the whole budget. */
export class ModelExceedsBudget extends ModelGatewayError {
  static override readonly reason = "MODEL_EXCEEDS_BUDGET";
  override readonly name = "ModelExceedsBudget";
}

/** The model's file does not exist. */
export class ModelFileMissing extends ModelGatewayError {
  static override readonly reason = "MODEL_FILE_MISSING";
  override readonly name = "ModelFileMissing";
}

/** The model's file is damaged, incomplete, or has an architecture that the engine does not support. */
export class ModelFileInvalid extends ModelGatewayError {
  static override readonly reason = "MODEL_FILE_INVALID";
  override readonly name = "ModelFileInvalid";
}

/** The server's configuration of the model is wrong, such as a parameter that its engine does not know. */
export class ModelConfigInvalid extends ModelGatewayError {
  static override readonly reason = "MODEL_CONFIG_INVALID";
  override readonly name = "ModelConfigInvalid";
}

/** The engine, a library, the device or an API key is missing, or the model does not support the task. */
export class EngineUnavailable extends ModelGatewayError {
  static override readonly reason = "ENGINE_UNAVAILABLE";
  override readonly name = "EngineUnavailable";
}

/** Other models that are in use hold the memory. */
export class MemoryBusy extends ModelGatewayError {
  static override readonly reason = "MEMORY_BUSY";
  override readonly name = "MemoryBusy";
}

/** Too many requests are waiting for this model. */
export class QueueFull extends ModelGatewayError {
  static override readonly reason = "QUEUE_FULL";
  override readonly name = "QueueFull";
}

/** The caller sends too many requests, or the quota of a cloud model is used up. */
export class RateLimited extends ModelGatewayError {
  static override readonly reason = "RATE_LIMITED";
  override readonly name = "RateLimited";
}

/** The worker process crashed or stopped making progress; the next request starts a new one. */
export class EngineCrashed extends ModelGatewayError {
  static override readonly reason = "ENGINE_CRASHED";
  override readonly name = "EngineCrashed";
}

/** The model is in cooldown, because a load or several requests in a row failed shortly before. */
export class LoadCooldown extends ModelGatewayError {
  static override readonly reason = "LOAD_COOLDOWN";
  override readonly name = "LoadCooldown";
}

/** The server is shutting down. */
export class Draining extends ModelGatewayError {
  static override readonly reason = "DRAINING";
  override readonly name = "Draining";
}

/** The server has no such open transcription: it has ended, or another server has it. Open a new one. */
export class SessionLost extends ModelGatewayError {
  static override readonly reason = "SESSION_LOST";
  override readonly name = "SessionLost";
}

/** The deadline or another time limit passed, or the server expects that the deadline cannot be met. */
export class DeadlineExceeded extends ModelGatewayError {
  static override readonly reason = "DEADLINE_EXCEEDED";
  override readonly name = "DeadlineExceeded";
}

/** The request has no valid credentials. */
export class Unauthenticated extends ModelGatewayError {
  static override readonly reason = "UNAUTHENTICATED";
  override readonly name = "Unauthenticated";
}

/** The caller is not allowed to do this. */
export class Forbidden extends ModelGatewayError {
  static override readonly reason = "FORBIDDEN";
  override readonly name = "Forbidden";
}

/** An internal error; the server's log has the details. */
export class Internal extends ModelGatewayError {
  static override readonly reason = "INTERNAL";
  override readonly name = "Internal";
}

/** The call was cancelled. If your AbortSignal did it, `cause` is the signal's reason. */
export class Cancelled extends ModelGatewayError {
  static override readonly reason = "CANCELLED";
  override readonly name = "Cancelled";
}

/** There is no server at the address, or the connection to it broke. */
export class ServerUnreachable extends ModelGatewayError {
  override readonly name = "ServerUnreachable";
}

type ErrorClass = new (message: string, fields?: ErrorFields) => ModelGatewayError;

const byReason = new Map<string, ErrorClass>(
  [
    InvalidRequest, ConfigNotFirst, AudioUnreadable, ModelNotFound, TaskUnknown, ModelExceedsBudget, ModelFileMissing,
    ModelFileInvalid, ModelConfigInvalid, EngineUnavailable, MemoryBusy, QueueFull, RateLimited, EngineCrashed,
    LoadCooldown, Draining, SessionLost, DeadlineExceeded, Unauthenticated, Forbidden, Internal, Cancelled,
  ].map((kind) => [kind.reason, kind]),
);

// For errors without a reason from the server.
const byCode = new Map<Code, ErrorClass>([
  [Code.DeadlineExceeded, DeadlineExceeded],
  [Code.Canceled, Cancelled],
  [Code.InvalidArgument, InvalidRequest],
  [Code.Unauthenticated, Unauthenticated],
  [Code.PermissionDenied, Forbidden],
]);

/** Makes the error for a reason of the server. A reason that this version does not know gives the base class. */
export function errorForReason(reason: string, message: string, fields: ErrorFields = {}): ModelGatewayError {
  return new (byReason.get(reason) ?? ModelGatewayError)(message, { ...fields, reason });
}

/** Converts what a call threw. `hint` tells what to do if the server cannot be reached. */
export function errorOf(thrown: unknown, hint: string): ModelGatewayError {
  if (thrown instanceof ModelGatewayError) return thrown;
  const error = ConnectError.from(thrown);
  const retry = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const fields: ErrorFields = {
    code: error.code,
    retryAfterMs: retry && Number(retry.seconds) * 1000 + retry.nanos / 1e6,
    cause: thrown,
  };
  const info = error.findDetails(ErrorInfoSchema).find((detail) => detail.domain === domain);
  if (info) return errorForReason(info.reason, error.rawMessage, { ...fields, metadata: info.metadata });
  if (connectionBroke(error)) {
    return new ServerUnreachable(`${error.rawMessage}. ${hint}`, { ...fields, code: Code.Unavailable });
  }
  return new (byCode.get(error.code) ?? ModelGatewayError)(error.rawMessage, fields);
}

/**
 * Reports whether the connection failed. Browsers and Node.js each say it in their own words, and a stream that ends
 * without its status was cut.
 */
function connectionBroke({ code, cause, rawMessage }: ConnectError): boolean {
  if (code === Code.Unavailable || code === Code.Aborted) return true;
  if (/missing (trailer|status)|^http\/2 stream closed/.test(rawMessage)) return true;
  for (let inner = cause; inner instanceof Error; inner = inner.cause) {
    const system = (inner as { code?: unknown }).code;
    if (typeof system === "string" && /^(E[A-Z]+$|ERR_HTTP2_|ERR_STREAM_PREMATURE_CLOSE$|UND_ERR_)/.test(system)) return true;
    if (inner instanceof TypeError && /fetch|network|load failed|connection|terminated|input stream/i.test(inner.message)) return true;
  }
  return false;
}
