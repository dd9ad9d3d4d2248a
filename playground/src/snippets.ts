// The code with which a program makes a call of the page.

import { apiKey } from "./api.js";
import type { Call, Task } from "./calls.js";

const paths: Record<Task, string> = {
  chat: "/v1/chat", respond: "/v1/respond", explain: "/v1/explain-vietnamese", grammar: "/v1/grammar",
  transcribe: "/v1/transcribe", synthesize: "/v1/synthesize", pronunciation: "/v1/pronunciation",
};

/** Returns the options of a call that has a recording; interim results need a WebSocket. */
function options(call: Call): [string, string][] {
  return Object.entries(call.request)
    .filter(([name, value]) => name !== "interim_results" && value !== "")
    .map(([name, value]) => [name, String(value)]);
}

/** Quotes a text for a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export function asCurl(call: Call): string {
  const parts = [`curl -s ${location.origin}${paths[call.task]}`];
  if (apiKey.value) parts.push(`-H "Authorization: Bearer $MODELGATEWAY_API_KEY"`);
  if (call.audio) parts.push("-F file=@recording.wav", ...options(call).map(([name, value]) => "-F " + quoted(`${name}=${value}`)));
  else parts.push("-d " + quoted(JSON.stringify(call.request)));
  if (call.request.align_words) parts.push('-H "Accept: application/x-ndjson"');
  else if (call.task === "synthesize") parts.push("-o speech.wav");
  return parts.join(" \\\n  ");
}

export function asPython(call: Call): string {
  return `import modelgateway  # pip install ./clients/python\n\nwith modelgateway.Client() as client:\n    ${python(call)}\n`;
}

function python(call: Call): string {
  const text = JSON.stringify(call.request.text ?? "");
  const speed = Number(call.request.speed ?? 0);
  switch (call.task) {
    case "chat": {
      const messages = call.request.messages as { role: string; content: string }[];
      const list = messages.map(({ role, content }) => `{"role": "${role === "ROLE_USER" ? "user" : "assistant"}", "content": ${JSON.stringify(content)}}`);
      return `print(client.chat([${list.join(", ")}]).message.content)`;
    }
    case "grammar":
      return `print(client.grammar(${text}).corrected_text)`;
    case "respond":
      return `print(client.respond(${text}, level=${JSON.stringify(call.request.level)}).text)`;
    case "explain":
      return `print(client.explain_vietnamese(${text}).explanation)`;
    case "synthesize":
      if (call.request.align_words) {
        return `speech = client.synthesize(${text}${speed ? `, speed=${speed}` : ""}, align_words=True)\n    speech.save("speech.wav")\n    print(speech.words)`;
      }
      return `client.synthesize(${text}${speed ? `, speed=${speed}` : ""}).save("speech.wav")`;
    case "transcribe":
      return `print(client.transcribe("recording.wav", language=${JSON.stringify(call.request.language)}).transcript.text)`;
    case "pronunciation":
      return `print(client.pronunciation("recording.wav", ${JSON.stringify(call.request.reference_text)}).overall_score)`;
  }
}

export function asNode(call: Call): string {
  return `import { Client } from "@lexilingo/modelgateway";\n\nconst client = new Client();\n${node(call)}\nclient.close();\n`;
}

function node(call: Call): string {
  const text = JSON.stringify(call.request.text ?? "");
  const speed = Number(call.request.speed ?? 0);
  switch (call.task) {
    case "chat": {
      const messages = call.request.messages as { role: string; content: string }[];
      const turns = messages.map(({ role, content }) => JSON.stringify([role === "ROLE_USER" ? "user" : "assistant", content]));
      return `for await (const piece of client.streamChat([${turns.join(", ")}])) process.stdout.write(piece);`;
    }
    case "grammar":
      return `console.log((await client.grammar(${text})).correctedText);`;
    case "respond":
      return `console.log((await client.respond(${text}, { level: ${JSON.stringify(call.request.level)} })).text);`;
    case "explain":
      return `console.log((await client.explainVietnamese(${text})).explanation);`;
    case "synthesize":
      if (call.request.align_words) {
        return `const speech = client.synthesize(${text}, { ${speed ? `speed: ${speed}, ` : ""}alignWords: true });\nawait speech.save("speech.wav");\nconsole.log(speech.words);`;
      }
      return `await client.synthesize(${text}${speed ? `, { speed: ${speed} }` : ""}).save("speech.wav");`;
    case "transcribe":
      return `console.log((await client.transcribe("recording.wav", { language: ${JSON.stringify(call.request.language)} })).transcript.text);`;
    case "pronunciation":
      return `console.log((await client.pronunciation("recording.wav", ${JSON.stringify(call.request.reference_text)})).overallScore);`;
  }
}
