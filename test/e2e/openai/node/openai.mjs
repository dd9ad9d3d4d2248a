// Calls a running server with OpenAI's client for Node, as its users do.
//
//	node openai.mjs BASE_URL RECORDING
//
// It prints "ok", or fails with what differs from what the client documents.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import OpenAI, { toFile } from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [baseURL, recording] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "any" });
const hello = [{ role: "user", content: "Hello, how are you?" }];
const greedy = { model: "chat", temperature: 0, max_tokens: 20 };

const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.ok(names.includes("qwen"), names.join());
assert.equal((await client.models.retrieve("qwen")).object, "model");

// Chat, whole, as chunks, and with the client's own accumulator.
const whole = await client.chat.completions.create({ ...greedy, messages: hello });
const text = whole.choices[0].message.content;
assert.ok(text && whole.usage.total_tokens > whole.usage.completion_tokens, JSON.stringify(whole));
let said = "";
let usage;
for await (const chunk of await client.chat.completions.create({
	...greedy,
	messages: hello,
	stream: true,
	stream_options: { include_usage: true },
})) {
	said += chunk.choices[0]?.delta.content ?? "";
	usage = chunk.usage ?? usage;
}
assert.ok(said && usage.completion_tokens > 0, JSON.stringify(usage));
const runner = client.chat.completions.stream({ ...greedy, messages: hello });
assert.ok(await runner.finalContent());

// A schema of Zod, whole and as a stream.
const person = z.object({
	name: z.string().max(40),
	age: z.number().int().min(0).max(120),
	likes: z.array(z.string().max(20)).max(3),
	pet: z.enum(["cat", "dog"]).nullable(),
});
const about = {
	...greedy,
	max_tokens: 300,
	messages: [{ role: "user", content: "Write JSON about Anna, who is 31 years old and likes chess." }],
	response_format: zodResponseFormat(person, "person"),
};
const anna = (await client.chat.completions.parse(about)).choices[0].message.parsed;
assert.ok(anna.name.includes("Anna") && anna.age === 31, JSON.stringify(anna));
const streamed = await client.chat.completions.stream(about).finalChatCompletion();
assert.equal(streamed.choices[0].message.parsed.age, 31);

// Tools: the client parses the arguments, runs the function and sends its answer.
const weather = {
	name: "get_temperature",
	description: "Returns the temperature in a city",
	parameters: z.object({ city: z.string().max(30), unit: z.enum(["celsius", "fahrenheit"]) }),
};
const question = [{ role: "user", content: "What is the temperature in Hanoi?" }];
const cities = [];
for (const stream of [false, true]) {
	const run = client.chat.completions.runTools({
		...greedy,
		max_tokens: 100,
		stream,
		messages: question,
		tool_choice: { type: "function", function: { name: weather.name } }, // the runner asks once then
		parallel_tool_calls: false,
		tools: [
			zodFunction({
				...weather,
				function: ({ city }) => {
					cities.push(city);
					return { temperature: 37, unit: "celsius" };
				},
			}),
		],
	});
	for await (const _ of stream ? run : []);
	await run.done();
	assert.equal(run.messages.at(-1).role, "tool", JSON.stringify(run.messages));
	const answer = await client.chat.completions.create({ ...greedy, max_tokens: 60, messages: run.messages });
	assert.match(answer.choices[0].message.content, /37/);
}
assert.ok(cities.length === 2 && cities.every((city) => city.includes("Hanoi")), cities.join());

// Speech, and transcripts of it and of a recording.
const file = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Good morning." });
assert.equal(file.headers.get("content-type"), "audio/mpeg");
const sound = Buffer.from(await file.arrayBuffer());
const heard = await client.audio.transcriptions.create({ model: "whisper-1", language: "en", file: await toFile(sound, "said.mp3") });
assert.match(heard.text, /good morning/i);
const clip = () => ({ model: "whisper-1", language: "en", file: createReadStream(recording) });
const verbose = await client.audio.transcriptions.create({ ...clip(), response_format: "verbose_json", timestamp_granularities: ["word"] });
assert.match(verbose.text, /fox/);
assert.ok(verbose.duration > 1 && verbose.words.at(-1).end <= verbose.duration, JSON.stringify(verbose));
let deltas = "";
for await (const event of await client.audio.transcriptions.create({ ...clip(), stream: true })) {
	if (event.type === "transcript.text.delta") deltas += event.delta;
	else assert.equal(event.text, deltas);
}
assert.equal(deltas, verbose.text);

// Errors have the client's own types.
await assert.rejects(client.chat.completions.create({ model: "gpt-9", messages: hello }), (error) => {
	return error instanceof OpenAI.NotFoundError && error.code === "model_not_found" && error.requestID !== null;
});
await assert.rejects(client.chat.completions.create({ ...greedy, messages: hello, temperature: 9 }), OpenAI.BadRequestError);
await assert.rejects(client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hi.", response_format: "aac" }), OpenAI.BadRequestError);
console.log("ok");
