import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { type AsrInput, sha256 } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOpenAiTranscriber } from "../../../packages/providers/src/asr/openai/openai-transcriber.ts";
import { parseUpload } from "../../support/fakes/fake-transcriber.ts";
import { createHttpFake, sendJson } from "../../support/fakes/http-fake.ts";
import { toSilence } from "../../support/servers/programs.ts";

const WORDS = "thank you for watching and see you in the next video";
const VERBOSE = {
  text: WORDS,
  language: "english",
  segments: [{ start: 0, end: 1.9, text: ` ${WORDS}`, avg_logprob: null, no_speech_prob: null }],
};
const signal = new AbortController().signal;

let directory: string;
let silence: AsrInput;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-asr-test-"));
  silence = await toInput("silence.wav", toSilence(2));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function toInput(name: string, wav: Buffer): Promise<AsrInput> {
  const wavPath = join(directory, name);
  await writeFile(wavPath, wav);
  const durationMs = Math.round((wav.length - 44) / 32);
  return { wavPath, mediaSha256: sha256(wav), durationMs, language: null };
}

function connect(baseUrl: string, { maxUploadBytes = 25_000_000 } = {}) {
  return createOpenAiTranscriber({
    baseUrl,
    model: "whisper-1",
    engine: "openai:whisper-1",
    usdPerMinute: 0.006,
    timeoutMs: 10_000,
    maxUploadBytes,
  });
}

describe("openai's answer", () => {
  const json = JSON.stringify(VERBOSE);

  test.each<[what: string, body: string | Buffer, headers: Record<string, string>]>([
    ["with a byte order mark", `\ufeff${json}`, {}],
    ["in gzip", gzipSync(json), { "content-encoding": "gzip" }],
    ["in brotli", brotliCompressSync(json), { "content-encoding": "br" }],
    ["with NaN", json.replace('"avg_logprob":null', '"avg_logprob":NaN'), {}],
    ["with NUL", json.replace("thank", "\\u0000thank"), {}],
  ])("%s is read", async (_what, body, headers) => {
    await using fake = await createHttpFake(
      (_, response) => void response.writeHead(200, headers).end(body),
    );
    const { segments, language } = await connect(fake.url).transcribe(silence, { signal });
    expect({ segments, language }).toEqual({
      segments: [{ startMs: 0, endMs: 1_900, text: WORDS }],
      language: "en",
    });
  });

  test("that there is too little sound is silence, and costs nothing", async () => {
    const error = { message: "Audio file is too short.", param: "file", code: "audio_too_short" };
    await using fake = await createHttpFake((_, response) => sendJson(response, 400, { error }));
    expect(await connect(fake.url).transcribe(silence, { signal })).toMatchObject({
      segments: [],
      usd: 0,
    });
    expect(fake.requests).toHaveLength(1);
  });
});

describe("audio over the server's limit", () => {
  /** 60 s of noise with a pause of 200 ms at 19.4 s, and so on: parts of 20 s are best cut there. */
  async function toLongInput(): Promise<AsrInput> {
    const wav = Buffer.concat([toSilence(60)]);
    for (let at = 44; at + 1 < wav.length; at += 2) {
      const ms = (at - 44) / 32;
      const isPause = ms % 19_500 >= 19_300 && ms % 19_500 < 19_500;
      wav.writeInt16LE(isPause ? 0 : ((at * 7_919) % 8_000) - 4_000, at);
    }
    return toInput("long.wav", wav);
  }
  const LIMIT = 20_000 * 32 + 44;
  const toSeconds = (bytes: number): number => (bytes - 44) / 32_000;

  test("is sent in parts that are cut in pauses, and is one transcript with the times of the clip", async () => {
    const long = await toLongInput();
    const seconds: number[] = [];
    await using fake = await createHttpFake(async (request, response) => {
      const { fileBytes } = await parseUpload(request);
      seconds.push(toSeconds(fileBytes));
      sendJson(response, 200, {
        language: "en",
        segments: [{ start: 1, end: 2, text: `part ${seconds.length}` }],
      });
    });
    const provider = connect(fake.url, { maxUploadBytes: LIMIT });
    const { segments, usd } = await provider.transcribe(long, { signal });
    expect(seconds.reduce((sum, each) => sum + each, 0)).toBeCloseTo(60, 1);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(20);
    expect(seconds[0]).toBeGreaterThan(19.3);
    expect(seconds[0]).toBeLessThan(19.5);
    const starts = seconds.map((_, at) =>
      Math.round(seconds.slice(0, at).reduce((sum, each) => sum + each, 1) * 1000),
    );
    expect(segments.map(({ startMs }) => startMs)).toEqual(starts);
    expect(segments.map(({ text }) => text)).toEqual(seconds.map((_, at) => `part ${at + 1}`));
    expect(usd).toBeCloseTo(0.006, 6);
  });

  test("costs each part once, also when a later one fails", async () => {
    const long = await toLongInput();
    let calls = 0;
    await using fake = await createHttpFake((_request, response) => {
      calls++;
      if (calls === 2) sendJson(response, 503, {});
      else sendJson(response, 200, { text: `call ${calls}` });
    });
    const provider = connect(fake.url, { maxUploadBytes: LIMIT });
    const failed = provider.transcribe(long, { signal });
    await expect(failed).rejects.toMatchObject({ code: "upstream_unavailable" });
    const { costUsd } = (await failed.catch((error: unknown) => error)) as { costUsd: number };
    const { segments, usd } = await provider.transcribe(long, { signal });
    expect(segments.map(({ text }) => text)).toEqual(["call 1", "call 3", "call 4", "call 5"]);
    expect(costUsd).toBeGreaterThan(0.0015);
    expect(costUsd + usd).toBeCloseTo(0.006, 6);
  });

  test("is cut smaller where the server takes less than its limit is thought to be", async () => {
    const long = await toLongInput();
    await using fake = await createHttpFake(async (request, response) => {
      const { fileBytes } = await parseUpload(request);
      if (fileBytes > 1_000_000) sendJson(response, 413, {});
      else sendJson(response, 200, { text: "part" });
    });
    const provider = connect(fake.url);
    expect((await provider.transcribe(long, { signal })).segments).toHaveLength(3);
  });

  test("is too large in the end where the server takes no part of it", async () => {
    const long = await toLongInput();
    await using fake = await createHttpFake((_, response) => sendJson(response, 413, {}));
    await expect(connect(fake.url).transcribe(long, { signal })).rejects.toMatchObject({
      code: "too_large",
    });
  });

  test("is sent whole where there is no limit", async () => {
    const long = await toLongInput();
    await using fake = await createHttpFake((_, response) => sendJson(response, 200, VERBOSE));
    await connect(fake.url, { maxUploadBytes: 0 }).transcribe(long, { signal });
    expect(fake.requests).toHaveLength(1);
  });
});

describe("openai's failures", () => {
  test.each([
    [401, {}, "provider_key"],
    [403, {}, "provider_key"],
    [402, {}, "provider_balance"],
    [429, {}, "throttled"],
    [429, { error: { code: "insufficient_quota" } }, "provider_balance"],
    [400, {}, "bad_response"],
    [400, { error: { message: "Your credit balance is too low" } }, "provider_balance"],
    [404, { error: { code: "model_not_found" } }, "provider_key"],
    [404, {}, "provider_key"],
    [302, {}, "bad_response"],
    [500, {}, "upstream_unavailable"],
    [503, {}, "upstream_unavailable"],
  ])("%i %j is %s", async (status, body, code) => {
    await using fake = await createHttpFake((_, response) =>
      sendJson(response, status, body, { "retry-after": "3" }),
    );
    const done = connect(fake.url).transcribe(silence, { signal });
    await expect(done).rejects.toMatchObject({ code, upstream: "openai:whisper-1" });
    expect(fake.requests).toHaveLength(status === 400 && !("error" in body) ? 2 : 1);
    if (code === "throttled") await expect(done).rejects.toMatchObject({ retryAfterMs: 3_000 });
  });

  test.each([
    ["nothing", ""],
    ["a page of a proxy", "<html>"],
  ])("include %s instead of an answer, which may be asked for again", async (_what, body) => {
    await using fake = await createHttpFake((_, response) => void response.end(body));
    await expect(connect(fake.url).transcribe(silence, { signal })).rejects.toMatchObject({
      code: "bad_response",
      costUsd: 0,
    });
  });

  test("include an error that comes with 200", async () => {
    const error = { message: "CUDA out of memory", code: 500 };
    await using fake = await createHttpFake((_, response) => sendJson(response, 200, { error }));
    await expect(connect(fake.url).transcribe(silence, { signal })).rejects.toMatchObject({
      code: "upstream_unavailable",
      costUsd: 0,
    });
  });

  test.each([
    ["holds no transcript", "{}", {}],
    ["is cut off", '{"text":"a', {}],
    ["is not packed as it says", "{}", { "content-encoding": "br" }],
  ])("include an answer that %s: it is paid for once", async (_what, body, headers) => {
    await using fake = await createHttpFake(
      (_, response) => void response.writeHead(200, headers).end(body),
    );
    const provider = connect(fake.url);
    await expect(provider.transcribe(silence, { signal })).rejects.toMatchObject({
      code: "invalid_answer",
      costUsd: expect.closeTo(0.0002, 10),
    });
    await expect(provider.transcribe(silence, { signal })).rejects.toMatchObject({
      code: "invalid_answer",
      costUsd: undefined,
    });
    expect(fake.requests).toHaveLength(1);
  });

  test("include a connection that breaks", async () => {
    await using fake = await createHttpFake((_, response) => void response.destroy());
    await expect(connect(fake.url).transcribe(silence, { signal })).rejects.toMatchObject({
      code: "upstream_unavailable",
      costUsd: expect.closeTo(0.0002, 10),
    });
  });

  test("include a server that is not there, which costs nothing", async () => {
    const fake = await createHttpFake(() => {});
    await fake[Symbol.asyncDispose]();
    await expect(connect(fake.url).transcribe(silence, { signal })).rejects.toMatchObject({
      code: "upstream_unavailable",
      costUsd: 0,
    });
  });

  test("are the signal's reason when the caller gives up", async () => {
    const controller = new AbortController();
    const reason = new Error("lost lock");
    await using fake = await createHttpFake(() => controller.abort(reason));
    const done = connect(fake.url).transcribe(silence, { signal: controller.signal });
    await expect(done).rejects.toBe(reason);
  });
});
