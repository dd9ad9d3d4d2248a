// Calls a running server as a browser does: unary and server-streaming calls over
// gRPC-Web or Connect, with the generated TypeScript code.
//
// Usage: node build/chat.mjs BASE_URL grpc-web|connect TEXT
// Prints one JSON object: the whole answer, the streamed answer, and which model answered.

import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { Role } from "../../../gen/ts/modelgateway/v1/chat_pb.js";
import { ModelGatewayService } from "../../../gen/ts/modelgateway/v1/service_pb.js";

const [baseUrl, protocol, text] = process.argv.slice(2);
const transport =
  protocol === "grpc-web" ? createGrpcWebTransport({ baseUrl }) : createConnectTransport({ baseUrl });
const client = createClient(ModelGatewayService, transport);
const request = {
  messages: [{ role: Role.USER, content: text }],
  sampling: { temperature: 0, maxTokens: 16 },
};

const whole = await client.chat(request);
let streamed = "";
let pieces = 0;
let servedBy = "";
for await (const piece of client.streamChat(request)) {
  streamed += piece.delta;
  pieces += 1;
  servedBy = piece.servedBy?.model ?? servedBy;
}
let missing = "";
try {
  await client.chat({ ...request, model: "nobody" });
} catch (error) {
  missing = String(error);
}
console.log(
  JSON.stringify({ whole: whole.message?.content, streamed, pieces, servedBy, engine: whole.servedBy?.engine, missing }),
);
