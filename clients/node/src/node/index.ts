/**
 * The client of a ModelGateway server for Node.js.
 *
 *     const client = new Client();
 *     for await (const piece of client.streamChat("Hello")) process.stdout.write(piece);
 *     client.close();
 *
 * `@lexilingo/modelgateway/web` is the same for browsers and React Native, `@lexilingo/modelgateway/proto` has the
 * messages of the API.
 */

export * from "../api.js";
export { Client, type ClientOptions, defaultAddress } from "./client.js";
export { type Path, readWav, save, SpeechStream } from "./files.js";
