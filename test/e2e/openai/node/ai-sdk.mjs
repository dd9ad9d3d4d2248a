// Calls a running server with the AI SDK's provider for servers like OpenAI's:
//
//	node ai-sdk.mjs BASE_URL
//
// It prints "ok", or fails with what differs from what the SDK documents.
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [baseURL] = process.argv.slice(2);
const provider = createOpenAICompatible({ name: "modelgateway", baseURL, apiKey: "any", supportsStructuredOutputs: true, includeUsage: true });
const model = provider("chat");
const short = { model, temperature: 0, maxOutputTokens: 100, maxRetries: 0 };

const whole = await generateText({ ...short, system: "Answer briefly.", prompt: "Hello, how are you?" });
assert.ok(whole.text && whole.usage.outputTokens > 0, JSON.stringify(whole.usage));
const stream = streamText({ ...short, prompt: "Hello, how are you?" });
let pieces = 0;
for await (const text of stream.textStream) pieces += text ? 1 : 0;
assert.ok(pieces > 3 && (await stream.usage).outputTokens > 0 && ["stop", "length"].includes(await stream.finishReason), `${pieces}`);

const person = z.object({ name: z.string().max(40), age: z.number().int().min(0).max(120), likes: z.array(z.string().max(20)).max(3) });
const about = { ...short, maxOutputTokens: 300, output: Output.object({ schema: person }), prompt: "Write JSON about Anna, who is 31 years old and likes chess." };
const { output } = await generateText(about);
assert.ok(output.name.includes("Anna") && output.age === 31, JSON.stringify(output));
const partial = streamText(about);
let last;
for await (const part of partial.partialOutputStream) last = part;
assert.equal(last.age, 31);

// The SDK runs the tool and sends its answer.
const cities = [];
const getTemperature = tool({
	description: "Returns the temperature in a city",
	inputSchema: z.object({ city: z.string().max(30) }),
	execute: async ({ city }) => {
		cities.push(city);
		return { temperature: 37, unit: "celsius" };
	},
});
for (const ask of [generateText, streamText]) {
	const result = await ask({
		...short,
		prompt: "What is the temperature in Hanoi?",
		tools: { getTemperature },
		stopWhen: stepCountIs(2),
		prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }),
	});
	assert.match(await result.text, /37/);
	assert.equal((await result.steps)[0].finishReason, "tool-calls");
}
assert.ok(cities.length >= 2 && cities.every((city) => city.includes("Hanoi")), cities.join());

await assert.rejects(generateText({ ...short, model: provider("gpt-9"), prompt: "Hi." }), (error) => {
	return APICallError.isInstance(error) && error.statusCode === 404 && !error.isRetryable && /gpt-9/.test(error.message);
});
console.log("ok");
