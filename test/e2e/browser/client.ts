// The package @lexilingo/modelgateway/web on a page: what only a browser can show. drive.mjs calls `client` on `window`.

import { type AudioSource, Cancelled, Client, EngineCrashed, microphone, ModelNotFound, pcm, play, Recorder, type TranscriptionStream, Wav } from "@lexilingo/modelgateway/web";

const endless = 'fault: {"token_count": 100000000, "token_interval_us": 200}';

/** Reads the events of live speech, and reports each one's kind. */
async function follow(stream: TranscriptionStream, seen: (kind: string) => void = () => {}) {
  const kinds: string[] = [];
  for await (const { event } of stream) {
    kinds.push(event.case!);
    seen(event.case!);
  }
  const duration = stream.transcript?.audioDuration;
  return {
    text: stream.text,
    interims: kinds.filter((kind) => kind === "interim").length,
    last: kinds.at(-1),
    servedBy: stream.servedBy?.model,
    seconds: Number(duration?.seconds ?? 0) + (duration?.nanos ?? 0) / 1e9,
  };
}

/** Returns the name of what a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "nothing", (error: Error) => `${error.name}: ${error.message}`);
}

/** Microphone of the browser, for so many seconds of sound. */
async function listen(seconds: number, over: (source: AsyncIterable<Uint8Array>) => TranscriptionStream) {
  const source = await microphone();
  let level = 0;
  const wanted = seconds * source.format.sampleRateHertz! * 2;
  let bytes = 0;
  const heard = (async function* () {
    for await (const piece of source) {
      level = Math.max(level, source.level);
      bytes += piece.length;
      yield piece;
      if (bytes >= wanted) return;
    }
  })();
  const result = await follow(over(Object.assign(heard, { format: source.format })));
  return { ...result, level, rate: source.format.sampleRateHertz };
}

/** What each scenario needs: the server, the same through connections that /cut breaks, and the page's own server. */
const scenarios: Record<string, (client: Client, far: Client) => Promise<unknown>> = {
  async unary(client) {
    const options = { sampling: { temperature: 0, presencePenalty: 0, maxTokens: 8 } };
    const { message } = await client.chat("Hello", options);
    return { same: (await client.streamChat("Hello", options).read()) === message!.content && message!.content !== "" };
  },
  // A person speaks into the microphone.
  async microphone(client) {
    const heard = await listen(13, (source) => client.streamTranscribe(source, { model: "person", language: "en" }));
    // From here on, Firefox has its own device again.
    delete (navigator.mediaDevices as Partial<MediaDevices>).getUserMedia;
    return heard;
  },
  async websocket(client) {
    const result = await listen(2, (source) => client.streamTranscribe(source, { over: "websocket" }));
    const missing = client.streamTranscribe([new Uint8Array(2)], { over: "websocket", model: "nobody", format: pcm() });
    return { ...result, missing: (await rejection(missing.read())).startsWith("ModelNotFound") && ModelNotFound.name !== "" };
  },
  // The connection breaks while the microphone is open.
  async broken(_, far) {
    let pieces = 0;
    let cuts = 0;
    const source = await microphone();
    const heard = (async function* () {
      for await (const piece of source) {
        yield piece;
        if (++pieces % 5 === 0) cuts += Number(await (await fetch("/cut")).text());
        if (pieces === 20) return;
      }
    })();
    const result = await follow(far.streamTranscribe(heard, { format: source.format }));
    return { ...result, cuts, sent: pieces * 3200 };
  },
  async abort(client) {
    const abort = new AbortController();
    const source = await microphone({ signal: abort.signal });
    const stream = client.streamTranscribe(source, { signal: abort.signal });
    const error = await rejection(follow(stream, () => abort.abort()));
    const unary = new AbortController();
    const chat = rejection(client.chat('fault: {"fault": "stall"}', { model: "victim", signal: unary.signal }));
    unary.abort();
    return { live: error.startsWith("Cancelled"), unary: (await chat).startsWith("Cancelled"), named: Cancelled.reason };
  },
  async killed(client) {
    const stream = client.streamChat(endless, { model: "victim" });
    await stream.next();
    await fetch(`/kill?pid=${(await client.getModel("victim")).workerPid}`);
    const error = await stream.read().then(() => undefined, (failure: unknown) => failure);
    return { crashed: error instanceof EngineCrashed, text: stream.text.length > 0 };
  },
  async slow(client) {
    const [word, words] = ["x".repeat(4000), 3000];
    const stream = client.streamChat(`fault: {"text": "${word}", "token_count": ${words}}`, { model: "victim" });
    let length = 0;
    for await (const piece of stream) {
      if (length === 0) await new Promise((resolve) => setTimeout(resolve, 500));
      length += piece.length;
    }
    return { whole: length >= words * word.length };
  },
  // A tone in odd pieces is played, and recorded while it sounds: there is no gap.
  async play() {
    const [rate, seconds] = [16_000, 2];
    const tone = Int16Array.from({ length: rate * seconds }, (_, at) => 20_000 * Math.cos((at * 2 * Math.PI * 440) / rate));
    const bytes = new Uint8Array(tone.buffer);
    const context = new AudioContext({ sampleRate: rate });
    const destination = context.createMediaStreamDestination();
    const recording = await microphone({ stream: destination.stream, sampleRate: rate });
    const samples: number[] = [];
    const recorded = (async () => {
      for await (const piece of recording) samples.push(...new Int16Array(piece.buffer));
    })();
    const pieces = (async function* () {
      for (let at = 0; at < bytes.length; at += 15_993) yield bytes.subarray(at, at + 15_993);
    })();
    const playback = play(Object.assign(pieces, { sampleRate: rate }), { context, destination });
    await playback.done;
    await new Promise((resolve) => setTimeout(resolve, 300));
    recording.stop();
    await recorded;
    const loud = samples.map((sample) => Math.abs(sample) > 1000);
    const [first, last] = [loud.indexOf(true), loud.lastIndexOf(true)];
    let [gap, longest] = [0, 0];
    for (const sounds of loud.slice(first, last)) longest = Math.max(longest, (gap = sounds ? 0 : gap + 1));
    const stopped = play(Object.assign((async function* () { yield bytes; yield bytes; })(), { sampleRate: rate }));
    setTimeout(() => stopped.stop(), 100);
    await stopped.done;
    return { heard: (last - first) / rate, gap: longest / rate, played: playback.seconds, stopped: stopped.seconds < 3.9 };
  },
  // A browser that lets nothing sound, as before a click or without a sound device: waiting for it can be ended.
  async silenced() {
    const { resume } = AudioContext.prototype;
    const found: string[] = [];
    const asked = () => new Promise<void>((tell) => {
      AudioContext.prototype.resume = async () => {
        tell();
        await new Promise(() => {});
      };
    });
    try {
      let waits = asked();
      const playback = play(new Wav(new Uint8Array(32_000), { sampleRate: 16_000 }));
      await waits;
      playback.stop();
      found.push(await playback.done.then(() => "stopped"));
      waits = asked();
      const abort = new AbortController();
      const source = rejection(microphone({ signal: abort.signal }));
      await waits;
      abort.abort();
      found.push((await source).split(":")[0]!);
    } finally {
      AudioContext.prototype.resume = resume;
    }
    return { found };
  },
  async recorder(client) {
    const found: Record<string, unknown> = {};
    for (const encoding of ["compressed", "pcm"] as const) {
      const recorder = await Recorder.start({ encoding });
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const recording = await recorder.stop();
      const { transcript } = await client.transcribe(recording.blob, { model: "ears", language: "en" });
      const { seconds, nanos } = transcript!.audioDuration!;
      found[encoding] = { type: recording.mimeType, seconds: Number(seconds) + nanos / 1e9 };
    }
    return found;
  },
};

/** Runs the scenarios one after another; one that throws gives its error. */
async function client(baseUrl: string, far: string) {
  const [direct, through] = [new Client(baseUrl), new Client(far)];
  const results: Record<string, unknown> = {};
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      results[name] = { result: await scenario(direct, through) };
    } catch (error) {
      results[name] = { error: String((error as Error).stack ?? error) };
    }
  }
  direct.close();
  through.close();
  return results;
}

/**
 * Live speech over a WebSocket with a key, which is revoked while it is spoken; and with keys that must be refused: that
 * one, a wrong one, none, and one that may not do this.
 */
async function keys(baseUrl: string, name: string, key: string, wrong: string, weak: string) {
  const live = (apiKey: string | undefined, audio: AudioSource) =>
    new Client(baseUrl, { apiKey }).streamTranscribe(audio, { over: "websocket", format: pcm() });
  const piece = new Uint8Array(1000);
  const failed = async (stream: TranscriptionStream) => {
    const error = await stream.read().then(() => new Error("nothing was thrown"), (error: Error) => error);
    let text = "";
    for (let inner: unknown = error; inner instanceof Error; inner = inner.cause) text += `${inner}\n${inner.stack}\n`;
    return { name: error.name, text };
  };
  const text = await live(key, [piece]).read();
  const endless = async function* () {
    yield piece;
    await new Promise(() => {});
  };
  const open = live(key, endless());
  await open.next();
  await fetch(`/revoke?name=${name}`);
  return {
    text,
    revoked: await failed(open),
    again: await failed(live(key, [piece])),
    wrong: await failed(live(wrong, [piece])),
    missing: await failed(live(undefined, [piece])),
    role: await failed(live(weak, [piece])),
  };
}

Object.assign(window, { client, keys });
