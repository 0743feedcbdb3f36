import { existsSync } from "node:fs";
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AsrInput, sha256 } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createOpenAiTranscriber } from "../../../packages/providers/src/asr/openai/openai-transcriber.ts";
import { createPocketsphinx } from "../../../packages/providers/src/asr/pocketsphinx/create-pocketsphinx.ts";
import { findPocketsphinx } from "../../../packages/providers/src/asr/pocketsphinx/find-pocketsphinx.ts";
import {
  type AsrSubject,
  describeAsrProvider,
} from "../../support/conformance/describe-asr-provider.ts";
import { parseUpload } from "../../support/fakes/fake-transcriber.ts";
import { createHttpFake, type FakeRequest, sendJson } from "../../support/fakes/http-fake.ts";
import { hasProgram, speakWithFlite, toSilence } from "../../support/servers/programs.ts";

const WORDS = "thank you for watching and see you in the next video";
const SHARED_CLIP = join(import.meta.dirname, "../../../../shared/clips/tts-flite-awb-thanks.wav");
const PROGRAM = "pocketsphinx_continuous";
const hasPocketsphinx = (await findPocketsphinx(PROGRAM)) !== null;
const hasFlite = hasProgram("flite", "--version");
const hasSharedClip = existsSync(SHARED_CLIP);
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

async function toPocketsphinxSubject(speech: AsrInput): Promise<AsrSubject> {
  return {
    provider: createPocketsphinx({ path: PROGRAM }),
    speech,
    words: WORDS,
    silence,
    async [Symbol.asyncDispose]() {},
  };
}

describe.skipIf(!hasPocketsphinx || !hasFlite)("(needs pocketsphinx and flite)", () => {
  describeAsrProvider("pocketsphinx on a clip of flite", async () => {
    const wavPath = join(directory, "flite.wav");
    speakWithFlite(WORDS, wavPath);
    return toPocketsphinxSubject(await toInput("speech.wav", await readFile(wavPath)));
  });
});

describe.skipIf(!hasPocketsphinx || !hasSharedClip)("(needs pocketsphinx and ../shared)", () => {
  describeAsrProvider("pocketsphinx on the shared clip", async () => {
    const wavPath = join(directory, "shared.wav");
    await copyFile(SHARED_CLIP, wavPath);
    return toPocketsphinxSubject(await toInput("speech.wav", await readFile(wavPath)));
  });
});

describe("pocketsphinx", () => {
  test("is not found where the program is missing or cannot run", async () => {
    expect(await findPocketsphinx(join(directory, "none"))).toBeNull();
    expect(await findPocketsphinx("false")).toBeNull();
  });

  test("leaves other languages to other engines", async () => {
    const provider = createPocketsphinx({ path: PROGRAM });
    expect(["en", "en-GB", "de", "eno"].map((tag) => provider.supports(tag))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const german = { ...silence, language: "de" };
    await expect(provider.transcribe(german, { signal })).rejects.toMatchObject({
      code: "unsupported",
    });
  });

  test("that is not installed is unavailable, not broken", async () => {
    const provider = createPocketsphinx({ path: join(directory, "none") });
    await expect(provider.transcribe(silence, { signal })).rejects.toMatchObject({
      code: "engine_unavailable",
    });
  });

  test("that crashes has failed, and keeps what it printed out of its message", async () => {
    const path = await toProgram("crash", 'echo "secret words" >&2; exit 3');
    const done = createPocketsphinx({ path }).transcribe(silence, { signal });
    await expect(done).rejects.toMatchObject({ code: "engine_failed", details: { exitCode: 3 } });
    await expect(done).rejects.not.toThrow("secret");
  });

  test("that prints without end is killed", async () => {
    const path = await toProgram("flood", "exec yes");
    const done = createPocketsphinx({ path }).transcribe(silence, { signal });
    await expect(done).rejects.toMatchObject({ details: { reason: "output" } });
  });

  test("that hangs is killed at its time limit, and when it is cancelled, before the call ends", async () => {
    const pidPath = join(directory, "pid");
    const path = await toProgram(
      "hang",
      `echo $$ > ${pidPath}.new && mv ${pidPath}.new ${pidPath}; exec sleep 60`,
    );
    const late = createPocketsphinx({ path, timeoutMs: 50 }).transcribe(silence, { signal });
    await expect(late).rejects.toMatchObject({ details: { reason: "timeout" } });

    await rm(pidPath, { force: true });
    const controller = new AbortController();
    const done = createPocketsphinx({ path }).transcribe(silence, { signal: controller.signal });
    await vi.waitFor(() => expect(existsSync(pidPath)).toBe(true), { timeout: 10_000 });
    const pid = Number(await readFile(pidPath, "utf8"));
    expect(() => process.kill(pid, 0)).not.toThrow();
    const reason = new Error("lost lock");
    controller.abort(reason);
    await expect(done).rejects.toBe(reason);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});

async function toProgram(name: string, script: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o700);
  return path;
}

const VERBOSE = {
  text: WORDS,
  language: "english",
  segments: [{ start: 0, end: 1.9, text: ` ${WORDS}`, avg_logprob: null, no_speech_prob: null }],
};

function connect(
  baseUrl: string,
  { apiKey = "key-of-the-test", maxUploadBytes = 25_000_000 } = {},
) {
  return createOpenAiTranscriber({
    baseUrl,
    apiKey,
    model: "whisper-1",
    engine: "openai:whisper-1",
    usdPerMinute: 0.006,
    timeoutMs: 10_000,
    maxUploadBytes,
  });
}

describeAsrProvider("openai on a loopback server", async () => {
  const speech = await toInput("spoken.wav", Buffer.concat([toSilence(2), Buffer.alloc(2, 1)]));
  const fake = await createHttpFake(async (request, response) => {
    const { fileName } = await parseUpload(request);
    const isSpeech = fileName === `${speech.mediaSha256}.wav`;
    sendJson(response, 200, isSpeech ? VERBOSE : { text: "", segments: [] });
  });
  return {
    provider: connect(fake.url),
    speech,
    words: WORDS,
    silence,
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
});

describe("openai's request", () => {
  test("is one upload named after the media, with model, format, granularity and language", async () => {
    await using fake = await createHttpFake((_, response) => sendJson(response, 200, VERBOSE));
    await connect(fake.url).transcribe({ ...silence, language: "en-US" }, { signal });
    const [request] = fake.requests as [FakeRequest];
    expect(request).toMatchObject({ method: "POST", path: "/v1/audio/transcriptions" });
    expect(request.headers.authorization).toBe("Bearer key-of-the-test");
    expect(Number(request.headers["content-length"])).toBe(request.body.length);
    expect(await parseUpload(request)).toEqual({
      fileName: `${silence.mediaSha256}.wav`,
      fileBytes: 64_044,
      fields: {
        model: "whisper-1",
        response_format: "verbose_json",
        "timestamp_granularities[]": "segment",
        language: "en",
      },
    });
  });

  test("goes to one place whether the base URL ends in /v1 or not", async () => {
    await using fake = await createHttpFake((_, response) => sendJson(response, 200, VERBOSE));
    await connect(`${fake.url}/v1`).transcribe(silence, { signal });
    await connect(`${fake.url}/openai`).transcribe(silence, { signal });
    expect(fake.requests.map(({ path }) => path)).toEqual([
      "/v1/audio/transcriptions",
      "/openai/v1/audio/transcriptions",
    ]);
  });

  test("asks for plain json where verbose_json is refused, and then at once", async () => {
    const formats: (string | undefined)[] = [];
    await using fake = await createHttpFake(async (request, response) => {
      const format = (await parseUpload(request)).fields["response_format"];
      formats.push(format);
      if (format === "json") sendJson(response, 200, { text: WORDS });
      else sendJson(response, 400, { error: { code: "unsupported_value" } });
    });
    const provider = connect(fake.url);
    const { segments } = await provider.transcribe(silence, { signal });
    expect(segments).toEqual([{ startMs: 0, endMs: 2_000, text: WORDS, estimated: true }]);
    await provider.transcribe(silence, { signal });
    expect(formats).toEqual(["verbose_json", "json", "json"]);
  });

  test("is not made twice where the server refuses something else than the format", async () => {
    const error = { message: "Invalid file format.", param: "file", code: "bad_file" };
    await using fake = await createHttpFake((_, response) => sendJson(response, 400, { error }));
    await expect(connect(fake.url).transcribe(silence, { signal })).rejects.toMatchObject({
      code: "bad_response",
    });
    expect(fake.requests).toHaveLength(1);
  });

  test("is not made for audio of which the server takes no ten seconds at a time", async () => {
    await using fake = await createHttpFake((_, response) => sendJson(response, 200, VERBOSE));
    const provider = connect(fake.url, { maxUploadBytes: 64_043 });
    await expect(provider.transcribe(silence, { signal })).rejects.toMatchObject({
      code: "too_large",
    });
    expect(fake.requests).toEqual([]);
  });
});

test("openai books its price by the minute", async () => {
  await using fake = await createHttpFake((_, response) => sendJson(response, 200, VERBOSE));
  const { usd } = await connect(fake.url).transcribe(silence, { signal });
  expect(usd).toBeCloseTo(0.0002, 10);
});
