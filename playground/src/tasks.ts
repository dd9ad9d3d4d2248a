// One function for each task of a model.

import type { ServedBy } from "../../gen/ts/modelgateway/v1/common_pb.js";
import type { PronunciationResponse } from "../../gen/ts/modelgateway/v1/pronunciation_pb.js";
import type { SpokenWord } from "../../gen/ts/modelgateway/v1/synthesis_pb.js";
import type { Transcript } from "../../gen/ts/modelgateway/v1/transcription_pb.js";
import type { GrammarResponse } from "../../gen/ts/modelgateway/v1/tutor_pb.js";
import { type Turn, pcm } from "../../clients/node/src/web/index.js";
import { client } from "./api.js";
import { type Clip, bytesOf, joined } from "./audio/clip.js";
import { record } from "./calls.js";
import { language } from "./i18n.js";

export interface Said {
  who: "user" | "model";
  text: string;
}

export interface Answer {
  text: string;
  servedBy?: ServedBy;
}

const turns = (said: readonly Said[]): Turn[] => said.map(({ who, text }) => [who === "user" ? "user" : "assistant", text]);

/** Continues a conversation; onText gets the answer as far as it was written. */
export function chat(said: readonly Said[], onText: (text: string) => void, signal: AbortSignal): Promise<Answer> {
  const shown = { messages: said.map(({ who, text }) => ({ role: who === "user" ? "ROLE_USER" : "ROLE_ASSISTANT", content: text })) };
  return record("chat", shown, false, async (progress) => {
    const answer = client.streamChat(turns(said), { signal });
    for await (const _ of answer) {
      progress.output();
      onText(answer.text);
    }
    progress.served(answer.servedBy);
    return { text: answer.text, servedBy: answer.servedBy };
  });
}

/** Answers a learner as a tutor. */
export function respond(text: string, before: readonly Said[], level: string, signal: AbortSignal): Promise<Answer> {
  return record("respond", { text, level }, false, async (progress) => {
    const answer = await client.respond(text, { level, history: turns(before), signal });
    progress.served(answer.servedBy);
    return answer;
  });
}

/** Explains English in Vietnamese. */
export function explain(text: string, signal: AbortSignal): Promise<Answer> {
  return record("explain", { text }, false, async (progress) => {
    const { explanation, servedBy } = await client.explainVietnamese(text, { signal });
    progress.served(servedBy);
    return { text: explanation, servedBy };
  });
}

/** Corrects a text, with explanations in the page's language. */
export function grammar(text: string, signal: AbortSignal): Promise<GrammarResponse> {
  const explanationLanguage = language.value;
  const shown = { text, ...(explanationLanguage === "vi" && { explanation_language: "EXPLANATION_LANGUAGE_VIETNAMESE" }) };
  return record("grammar", shown, false, async (progress) => {
    const answer = await client.grammar(text, { explanationLanguage, signal });
    progress.served(answer.servedBy);
    return answer;
  });
}

export interface Speech {
  clip: Clip;
  words: SpokenWord[];
  servedBy?: ServedBy;
}

/** How a text is spoken. */
export interface Manner {
  speed?: number;
  /** Find the times of words if the voice gives none. */
  alignWords?: boolean;
  /** Always in the same way. */
  steady?: boolean;
}

/** Speaks a text; onAudio gets the samples as they are made. */
export function synthesize(text: string, manner: Manner, onAudio: (piece: Clip) => void, signal: AbortSignal): Promise<Speech> {
  const { speed = 1, alignWords = false, steady = false } = manner;
  const shown = { text, ...(speed !== 1 && { speed }), ...(alignWords && { align_words: true }) };
  return record("synthesize", shown, false, async (progress) => {
    const pieces: Int16Array[] = [];
    const speech = client.synthesize(text, { speed, alignWords, ...(steady && { noiseScale: 0, noiseW: 0 }), signal });
    for await (const piece of speech) {
      progress.output();
      const samples = new Int16Array(piece.slice().buffer);
      pieces.push(samples);
      onAudio({ samples, rate: speech.sampleRate });
    }
    progress.served(speech.servedBy);
    return { clip: { samples: joined(pieces), rate: speech.sampleRate }, words: speech.words, servedBy: speech.servedBy };
  });
}

/** Transcribes a recording. */
export function recognize(clip: Clip, spoken: string, signal: AbortSignal): Promise<{ transcript?: Transcript; servedBy?: ServedBy }> {
  return record("transcribe", { language: spoken, word_timestamps: true }, true, async (progress) => {
    const answer = await client.recognize(bytesOf(clip), { format: pcm(clip.rate), language: spoken, wordTimestamps: true, signal });
    progress.served(answer.servedBy);
    return answer;
  });
}

/** Scores how well a text was read aloud. */
export function pronunciation(clip: Clip, referenceText: string, signal: AbortSignal): Promise<PronunciationResponse> {
  return record("pronunciation", { reference_text: referenceText }, true, async (progress) => {
    const answer = await client.pronunciation(bytesOf(clip), referenceText, { format: pcm(clip.rate), signal });
    progress.served(answer.servedBy);
    return answer;
  });
}
