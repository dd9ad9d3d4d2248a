/** The messages, enums and services of the API, generated from its protos. */

export * from "./gen/modelgateway/v1/admin_pb.js";
export * from "./gen/modelgateway/v1/auth_pb.js";
export * from "./gen/modelgateway/v1/chat_pb.js";
export * from "./gen/modelgateway/v1/common_pb.js";
export * from "./gen/modelgateway/v1/errors_pb.js";
export * from "./gen/modelgateway/v1/model_pb.js";
export * from "./gen/modelgateway/v1/pronunciation_pb.js";
export * from "./gen/modelgateway/v1/service_pb.js";
export * from "./gen/modelgateway/v1/status_pb.js";
export * from "./gen/modelgateway/v1/synthesis_pb.js";
export * from "./gen/modelgateway/v1/task_pb.js";
export * from "./gen/modelgateway/v1/transcription_pb.js";
export * from "./gen/modelgateway/v1/tutor_pb.js";
export * from "./gen/google/rpc/error_details_pb.js";
