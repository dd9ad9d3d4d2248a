// Streams speech as a web app does: with OpenTranscription and PushAudio over
// gRPC-Web, and with MediaRecorder over the WebSocket. drive.mjs calls the functions
// on `window`.

import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ModelGatewayService } from "../../../gen/ts/modelgateway/v1/service_pb.js";

const recordingMilliseconds = 3000;

/** Transcribes the recording at /speech.wav. The stream breaks once, and every tenth push is repeated. */
async function speak(baseUrl: string, interimResults: boolean, pieceBytes: number) {
  const client = createClient(ModelGatewayService, createGrpcWebTransport({ baseUrl }));
  const speech = new Uint8Array(await (await fetch("/speech.wav")).arrayBuffer());
  const pieces = Math.ceil(speech.length / pieceBytes);

  let sessionId = "";
  let seen = 0n;
  const sequences: number[] = [];
  let interims = 0;
  let text: string | undefined;
  let servedBy = "";
  let expected = -1;

  /** Reads the events of the session until the stream ends, and reports when it is open. */
  async function follow(signal: AbortSignal, opened: () => void) {
    const request = { config: { language: "en", interimResults }, sessionId, lastEventSequence: seen };
    for await (const message of client.openTranscription(request, { signal })) {
      sessionId = message.sessionId;
      if (message.event?.event.case === undefined) {
        expected = Number(message.nextAudioSequence);
        opened();
        continue;
      }
      seen = message.eventSequence;
      sequences.push(Number(seen));
      if (message.event.event.case === "interim") interims += 1;
      if (message.event.event.case === "final") text = message.event.event.value.text;
      servedBy = message.servedBy?.model ?? servedBy;
    }
  }

  async function push(sequence: number) {
    const audio = speech.slice(sequence * pieceBytes, (sequence + 1) * pieceBytes);
    const request = { sessionId, sequence: BigInt(sequence), audio, last: sequence === pieces - 1 };
    await client.pushAudio(request);
    if (sequence % 10 === 9) await client.pushAudio(request);
  }

  const first = new AbortController();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const broken = follow(first.signal, begin).then(
    () => "the stream ended before it broke",
    (error) => String(error),
  );
  await Promise.race([begun, broken]);

  const half = Math.floor(pieces / 2);
  for (let sequence = 0; sequence < half; sequence++) await push(sequence);
  first.abort();
  const breakage = await broken;
  // Audio is still sent while the stream of events is closed.
  await push(half);

  const { promise: again, resolve: reopen } = Promise.withResolvers<void>();
  const ended = follow(new AbortController().signal, reopen);
  await Promise.race([again, ended]);
  const resumedAt = expected;
  for (let sequence = half + 1; sequence < pieces; sequence++) await push(sequence);
  await ended;
  return { text, interims, sequences, servedBy, pieces, breakage, resumedAt, half };
}

/** Records a tone with MediaRecorder and sends the result over the WebSocket. */
async function record(baseUrl: string, mimeType: string) {
  const socket = new WebSocket(baseUrl.replace("http", "ws") + "/v1/transcribe/ws");
  socket.binaryType = "arraybuffer";
  const messages: any[] = [];
  socket.onmessage = (message) => messages.push(JSON.parse(message.data));
  const closed = new Promise<CloseEvent>((resolve) => (socket.onclose = resolve));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the WebSocket does not open"));
  });
  socket.send(JSON.stringify({ language: "en", interim_results: true }));

  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 220 });
  const destination = new MediaStreamAudioDestinationNode(context);
  tone.connect(destination);
  tone.start();
  const recorder = new MediaRecorder(destination.stream, { mimeType });
  let bytes = 0;
  let head = "";
  let sending = Promise.resolve();
  recorder.ondataavailable = ({ data }) => {
    sending = sending.then(async () => {
      const piece = new Uint8Array(await data.arrayBuffer());
      // The first piece of a recording may have one byte.
      head += Array.from(piece.slice(0, 4 - head.length / 2), (b) => b.toString(16).padStart(2, "0")).join("");
      bytes += piece.length;
      socket.send(piece);
    });
  };
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(100);
  setTimeout(() => recorder.stop(), recordingMilliseconds);
  await stopped;
  await sending;
  socket.send('{"end":true}');
  const { code } = await closed;
  await context.close();
  const last = messages.at(-1);
  return {
    mimeType: recorder.mimeType, bytes, head, code, error: last?.error?.message ?? "", servedBy: last?.served_by?.model ?? "",
    duration: last?.event?.final?.audio_duration ?? "", milliseconds: recordingMilliseconds,
  };
}

/** Tries to open a WebSocket, which a page of another origin must not be able to. */
async function refused(baseUrl: string) {
  const socket = new WebSocket(baseUrl.replace("http", "ws") + "/v1/transcribe/ws");
  const opened = await new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  return { opened };
}

Object.assign(window, { speak, record, refused });
