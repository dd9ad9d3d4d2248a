/**
 * The client of a ModelGateway server for browsers and React Native.
 *
 *     const client = new Client("https://models.example.org", { apiKey: token });
 *     for await (const piece of client.streamChat("Hello")) show(piece);
 */

export * from "../api.js";
export { parseWav as readWav } from "../audio.js";
export { SpeechStream } from "../results.js";
export { Client, type ClientOptions, type StreamTranscribeOptions } from "./client.js";
export { Microphone, microphone, type MicrophoneOptions } from "./microphone.js";
export { play, type Playback, type PlayOptions, type Samples } from "./play.js";
export { Recorder, type RecorderOptions, type Recording } from "./recorder.js";
