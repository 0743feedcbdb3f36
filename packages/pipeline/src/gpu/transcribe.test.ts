import {
  type AsrProvider,
  RetryableError,
  type Storage,
  Transcript,
  UnrecoverableError,
} from "@clipmill/domain";
import { expect, test, vi } from "vitest";
import { createTranscribe } from "./transcribe.ts";

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log };
const paid: string[] = [];
const ctx = {
  signal: new AbortController().signal,
  log,
  attempt: 1,
  expiredToken: null,
  now: () => new Date(0),
  pay: <T>({ engine }: { engine: string }, call: () => Promise<T>) => {
    paid.push(engine);
    return call();
  },
};
const storage = {
  openLocal: async () => ({ path: "a.wav", [Symbol.asyncDispose]: async () => {} }),
} as unknown as Storage;
const input = {
  mediaSha256: "a".repeat(64),
  audioSha256: "b".repeat(64),
  durationMs: 2_000,
  engines: ["big", "small"],
  language: null,
};

function engine(id: string, fails: Error | null, supports = true): AsrProvider {
  return {
    id,
    supports: () => supports,
    estimateUsd: () => 0,
    async transcribe() {
      if (fails !== null) throw fails;
      const text = `${id} heard these words in the clip`;
      return { language: "en", segments: [{ startMs: 0, endMs: 2_000, text }], usd: 0 };
    },
  };
}

async function transcribeWith(...asr: AsrProvider[]): Promise<Transcript | undefined> {
  paid.length = 0;
  const { records } = await createTranscribe({ asr, storage }).run(input, ctx);
  const [record] = records ?? [];
  return record?.kind === "transcript" ? Transcript.parse(record.row) : undefined;
}

test.each([
  ["does not take so large a file", new UnrecoverableError("too_large", "413")],
  ["is down", new RetryableError("upstream_unavailable", "503")],
  ["is not paid", new RetryableError("provider_balance", "402")],
])("an engine that %s leaves the clip to the next of the recipe", async (_what, error) => {
  const transcript = await transcribeWith(engine("small", null), engine("big", error));
  expect(transcript).toMatchObject({ engine: "small", recipe: "big>small" });
  expect(transcript?.text).toContain("small heard");
  expect(paid).toEqual(["big", "small"]);
});

test("an engine that crashes is tried again, since the next may hear worse", async () => {
  const crash = new RetryableError("engine_failed", "crashed");
  await expect(transcribeWith(engine("big", crash), engine("small", null))).rejects.toBe(crash);
});

test("an engine that does not know the language is skipped without a call", async () => {
  const transcript = await transcribeWith(engine("big", null, false), engine("small", null));
  expect(transcript?.engine).toBe("small");
  expect(paid).toEqual(["small"]);
});

test("a file that is too large for every engine fails as too_large", async () => {
  const tooLarge = new UnrecoverableError("too_large", "413");
  await expect(
    transcribeWith(engine("big", tooLarge), engine("small", tooLarge)),
  ).rejects.toMatchObject({ code: "too_large" });
});

const run = async (...asr: AsrProvider[]) =>
  await createTranscribe({ asr, storage }).run(input, ctx);

test("a language that no engine of the recipe hears fails at once, and says what to set", async () => {
  const done = run(engine("big", null, false), engine("small", null, false));
  await expect(done).rejects.toMatchObject({ code: "unsupported" });
  await expect(done).rejects.toThrow("ASR_BASE_URL");
});

test("a language that an engine of another worker may hear waits for that", async () => {
  await expect(run(engine("small", null, false))).rejects.toMatchObject({
    code: "engine_unavailable",
  });
  await expect(run()).rejects.toMatchObject({ code: "engine_unavailable" });
});

test("what the engine itself calls no speech is silence, whatever it wrote down", async () => {
  const said = engine("big", null);
  const transcribe = said.transcribe.bind(said);
  said.transcribe = async (...args) => ({ ...(await transcribe(...args)), saidNoSpeech: true });
  expect(await transcribeWith(said)).toMatchObject({ verdict: "silent" });
  expect(await transcribeWith(engine("big", null))).toMatchObject({ verdict: "speech" });
});

test.each<[why: string, big: AsrProvider, minutes: number, again: boolean]>([
  ["cannot hear the language", engine("big", null, false), 60, false],
  [
    "takes no file of this size",
    engine("big", new UnrecoverableError("too_large", "413")),
    60,
    false,
  ],
  [
    "gave an answer that is not readable",
    engine("big", new UnrecoverableError("invalid_answer", "")),
    60,
    false,
  ],
  ["was busy a minute ago", engine("big", new RetryableError("throttled", "429")), 1, false],
  ["was busy an hour ago", engine("big", new RetryableError("throttled", "429")), 60, true],
])(
  "a clip whose better engine %s is heard again by a new request: %#",
  async (_why, big, minutes, again) => {
    const result = await run(engine("small", null), big);
    if (!("output" in result)) throw new Error("it waits");
    const end = { state: "done" as const, output: result.output };
    const facts = { input, end, endedMsAgo: minutes * 60_000, isAvailable: () => true };
    expect(createTranscribe({ asr: [], storage }).rerun?.(facts)).toBe(again);
  },
);

test("a clip whose better engine was not there is heard again as soon as it is", async () => {
  const result = await run(engine("small", null));
  if (!("output" in result)) throw new Error("it waits");
  const end = { state: "done" as const, output: result.output };
  const rerun = (isAvailable: () => boolean) =>
    createTranscribe({ asr: [], storage }).rerun?.({ input, end, endedMsAgo: 0, isAvailable });
  expect([rerun(() => true), rerun(() => false)]).toEqual([true, false]);
});

test("waits as long as its engines may take, one after the other", () => {
  const slow = { ...engine("big", null), limitMs: 30 * 60_000 };
  const { timeoutMs } = createTranscribe({ asr: [slow, engine("small", null)], storage });
  expect(timeoutMs).toBeGreaterThan(40 * 60_000);
  expect(createTranscribe({ asr: [], storage }).timeoutMs).toBe(600_000);
});

test("what a call needs is read before it, so that a GPU does not wait for it", async () => {
  const order: string[] = [];
  const quick = engine("big", null);
  const reader: AsrProvider = {
    ...quick,
    async prepare(audio) {
      order.push("read");
      return (options) => {
        order.push("asked");
        return quick.transcribe(audio, options);
      };
    },
  };
  const pay = async <T>(_intent: unknown, call: () => Promise<T>) => {
    order.push("its turn");
    return await call();
  };
  await createTranscribe({ asr: [reader], storage }).run(
    { ...input, engines: ["big"] },
    { ...ctx, pay },
  );
  expect(order).toEqual(["read", "its turn", "asked"]);
});
