// The types are exact: what is right compiles, and what is wrong does not.

import { type AudioFormatInit, Client, type ClientOptions, type GatewayResult, MemoryBusy, ModelGatewayError, pcm, type Turn } from "@lexilingo/modelgateway";
import { type ChatResponse, FinishReason, type Transcript } from "@lexilingo/modelgateway/proto";
import * as web from "@lexilingo/modelgateway/web";

const options: ClientOptions = { apiKey: async () => "key", tls: { ca: "…" }, retry: { attempts: 1 } };
const client = new Client("127.0.0.1:1", options);
const turns: Turn[] = [["system", "Be short"], { role: "user", content: "Hello" }];

export async function right(signal: AbortSignal | undefined): Promise<string | undefined> {
  const answer: ChatResponse = await client.chat(turns, { signal, timeoutMs: undefined, sampling: { temperature: 0 } });
  const again = await client.chat([...turns, answer.message!], { routing: { priority: "high" }, tools: [{ name: "rate" }] });
  const format: AudioFormatInit = pcm(8000, 2);
  const { transcript } = await client.transcribe(new URL("file:///a.wav"), { format });
  const heard: Transcript | undefined = transcript;
  const stream = client.streamChat("Hello");
  for await (const piece of stream) piece.toUpperCase();
  const reason: FinishReason | undefined = stream.finishReason;
  const result: GatewayResult = { success: false, data: null, error: "", reason: `${reason}`, retryAfterMs: 1, model: undefined, latencyMs: 1 };
  const error: ModelGatewayError = new MemoryBusy("busy", { retryAfterMs: 20 });
  return heard?.text ?? again.message?.content ?? result.error + error.retryAfterMs;
}

export function wrong(): void {
  // @ts-expect-error: there is no such role
  void client.chat([["robot", "Hello"]]);
  // @ts-expect-error: times are numbers of milliseconds
  void client.chat("Hello", { timeoutMs: "10s" });
  // @ts-expect-error: there is no such option
  void client.chat("Hello", { temperature: 0 });
  // @ts-expect-error: a browser opens no files
  void new web.Client().transcribe("lesson.mp3");
  // @ts-expect-error: there is no such language
  void client.grammar("Hello", { explanationLanguage: "fr" });
  // @ts-expect-error: the text of an answer can be absent
  void client.chat("Hello").then((answer) => answer.message.content);
}
