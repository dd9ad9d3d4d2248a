/** What the entries for Node.js and the web have in common. */

export type { AudioFormatInit, ChatOptions, Conversation, LiveOptions, PriorityName, RequestOptions, Routing, Sampling, Schema, SpeechOptions, Tool, TranscriptionOptions, Turn } from "./requests.js";
export { type AudioSource, pcm, pcmF32, Wav, type WavFields } from "./audio.js";
export { type CallOptions, type Retry, timeouts } from "./calls.js";
export type { TaskResult } from "./client.js";
export * from "./compat.js";
export { type CalledTool, ChatStream, TranscriptionStream } from "./results.js";
export { OpenTranscription } from "./session.js";
export {
  AudioUnreadable, Cancelled, ConfigNotFirst, DeadlineExceeded, Draining, EngineCrashed, EngineUnavailable, Forbidden,
  Internal, InvalidRequest, LoadCooldown, MemoryBusy, ModelConfigInvalid, ModelExceedsBudget, ModelFileInvalid,
  ModelFileMissing, ModelGatewayError, ModelNotFound, QueueFull, RateLimited, ServerUnreachable, SessionLost,
  TaskUnknown, Unauthenticated,
} from "./errors.js";
