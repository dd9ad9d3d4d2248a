// Calls of every kind with the real server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FinishReason, LoadOutcome, ModelState } from "@lexilingo/modelgateway/proto";
import { all, both, greedy } from "./clients.mjs";

const level = { type: "object", properties: { level: { enum: ["A1", "B2"] } }, required: ["level"] };

for (const { name, mg, client: connect } of both) {
  test(`${name}`, async (t) => {
    const client = connect();
    t.after(() => client.close());

    await t.test("chat and its stream give the same answer", async () => {
      const whole = await client.chat("Hello", { sampling: greedy });
      const stream = client.streamChat([["user", "Hello"]], { sampling: greedy });
      const pieces = await all(stream);
      assert.ok(whole.message.content);
      assert.ok(pieces.length > 1);
      assert.equal(pieces.join(""), whole.message.content);
      assert.equal(stream.text, whole.message.content);
      assert.equal(stream.servedBy.model, "qwen");
      assert.ok(stream.usage.completionTokenCount > 0);
      assert.ok([FinishReason.STOP, FinishReason.LENGTH].includes(stream.finishReason));
      assert.equal(await client.streamChat("Hello", { sampling: greedy }).read(), whole.message.content);
    });

    await t.test("a conversation in each of its forms", async () => {
      const options = { sampling: greedy, systemPrompt: "You are a tutor." };
      const first = await client.chat("Hello", options);
      const turns = [["system", "You are a tutor."], { role: "user", content: "Hello" }];
      const second = await client.chat(turns, { sampling: greedy });
      assert.equal(second.message.content, first.message.content);
      const further = await client.chat([...turns, second.message, ["user", "And you?"]], { sampling: greedy });
      assert.ok(further.usage.promptTokenCount > second.usage.promptTokenCount);
      await assert.rejects(async () => client.chat([["robot", "Hello"]]), { name: "TypeError", message: /role must be "system"/ });
    });

    await t.test("a schema and a tool", async () => {
      const answer = await client.chat("Rate: I goes.", { responseSchema: level, n: 2, logprobs: 1 });
      for (const { content } of [answer.message, answer.alternatives[0].message]) {
        assert.ok(["A1", "B2"].includes(JSON.parse(content).level));
      }
      assert.equal(answer.logprobs[0].top.length, 1);
      const tool = { name: "rate", description: "Rates a text", parameters: level };
      const stream = client.streamChat("Hello", { tools: [tool], toolChoice: "rate" });
      assert.equal(await stream.read(), "");
      assert.equal(stream.finishReason, FinishReason.TOOL_CALLS);
      const [call] = stream.toolCalls;
      assert.equal(call.name, "rate");
      assert.ok(["A1", "B2"].includes(JSON.parse(call.arguments).level));
      const turns = [["user", "Hello"], { role: "assistant", toolCalls: [call] }, { role: "tool", content: "done" }];
      assert.ok((await client.chat(turns, { tools: [tool], toolChoice: "none", sampling: greedy })).message.content);
    });

    await t.test("the tutor's tasks", async () => {
      const { correctedText, servedBy } = await client.grammar("I goes to school", { explanationLanguage: "vi" });
      assert.ok(correctedText && servedBy.model === "qwen");
      assert.ok((await client.respond("I like tea", { level: "A2", history: [["user", "Hello"]] })).text);
      assert.ok((await client.explainVietnamese("present perfect", { question: "When?" })).explanation);
    });

    await t.test("tasks and methods by name", async () => {
      const params = { text: "Hello", temperature: 0, presence_penalty: 0, max_tokens: 16, top_p: undefined };
      const task = await client.executeTask("chat", params, { routing: { localOnly: true, priority: "high" } });
      const invoked = await client.invoke("qwen", "chat", params);
      assert.equal(task.data.text, invoked.data.text);
      assert.equal(task.servedBy.model, "qwen");
      const heard = await client.executeTask("transcribe", { audio: new Uint8Array(20_000), encoding: "pcm_s16le" });
      assert.equal(heard.data.text, "20000 bytes");
    });

    await t.test("the names of the Python gateway", async () => {
      const gateway = new mg.Gateway(client, { localOnly: true });
      const spoken = await gateway.executeTask("tts", { text: "Hello" });
      assert.ok(spoken.success && spoken.data.audio instanceof Uint8Array);
      assert.equal(Buffer.from(spoken.data.audio.subarray(0, 4)).toString(), "RIFF");
      const missing = await gateway.invoke("nobody", "chat", { text: "Hello" });
      assert.deepEqual([missing.success, missing.reason, missing.model], [false, "MODEL_NOT_FOUND", "nobody"]);
      const status = await gateway.getStatus();
      assert.ok(status.loaded_models.includes("qwen") && status.models.qwen.status === "ready");
      assert.equal(status.gateway.max_memory_mb, 4000);
    });

    await t.test("the models", async () => {
      const states = [];
      const loaded = await client.loadModel("tutor", { pin: true, progress: (report) => states.push(report.state) });
      assert.ok(loaded.pinned && loaded.state === ModelState.READY && states.length > 0);
      assert.equal((await client.planLoad("tutor")).outcome, LoadOutcome.ALREADY_LOADED);
      assert.equal((await client.planLoad("big")).outcome, LoadOutcome.NEVER_FITS);
      const watching = client.watchModels("tutor");
      assert.equal((await watching.next()).value.toState, ModelState.READY);
      const { model } = await client.unloadModel("tutor");
      assert.equal(model.state, ModelState.UNLOADED);
      for await (const { toState } of watching) if (toState === ModelState.UNLOADED) break;
      assert.equal((await client.getModel("tutor")).pinned, false);
      assert.ok((await client.listModels()).some((one) => one.name === "qwen"));
      assert.ok((await client.listVoices()).some((voice) => voice.model === "piper" || voice.model === "voice"));
      assert.ok((await client.status()).version);
    });
  });
}
