// The same types in a CommonJS module.

import { Client, type ModelGatewayError } from "@lexilingo/modelgateway";
import proto = require("@lexilingo/modelgateway/proto");
import web = require("@lexilingo/modelgateway/web");

export async function ask(error: ModelGatewayError): Promise<string> {
  const answer: proto.ChatResponse = await new Client().chat("Hello");
  await new web.Client("http://127.0.0.1:8001").status();
  return answer.message?.content ?? error.reason;
}
