import { ERROR_CODES, RetryableError, SkipError, UnrecoverableError } from "@clipmill/domain";
import { describe, expect, test, vi } from "vitest";
import { findEngines, tryEngines } from "./choose-engine.ts";

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log };
const { signal } = new AbortController();
const engine = (id: string) => ({ id });

/** One engine for each error, which it throws; for `null` it answers with its id. */
async function tryAll(...ends: (Error | null)[]) {
  const asked: string[] = [];
  const engines = ends.map((end, at) => ({ id: `engine-${at}`, end }));
  const result = tryEngines(
    engines as [(typeof engines)[number]],
    async ({ id, end }) => {
      asked.push(id);
      if (end !== null) throw end;
      return id;
    },
    { signal, log },
  );
  return { asked, end: await result.catch((error: unknown) => error) };
}
const throttled = (retryAfterMs?: number) =>
  new RetryableError("throttled", "slow", retryAfterMs === undefined ? {} : { retryAfterMs });
const unsupported = new UnrecoverableError("unsupported", "no slideshows");
const gone = new SkipError("gone", "gone");
const blocked = new RetryableError("blocked", "blocked");
const badKey = new RetryableError("provider_key", "key");

describe("the engines of a recipe", () => {
  test("come in its order, without those that this worker lacks", () => {
    const available = [engine("b"), engine("a"), engine("c")];
    expect(findEngines(["a", "x", "b"], available)).toEqual([engine("a"), engine("b")]);
    expect(() => findEngines(["x"], available)).toThrow(
      expect.objectContaining({ code: "engine_unavailable" }),
    );
  });

  test("are asked until one answers", async () => {
    expect(await tryAll(throttled(), unsupported, null, null)).toEqual({
      asked: ["engine-0", "engine-1", "engine-2"],
      end: "engine-2",
    });
  });

  test("are not asked once one has said what is true of the post", async () => {
    expect(await tryAll(throttled(), gone, null)).toEqual({
      asked: ["engine-0", "engine-1"],
      end: gone,
    });
  });

  test("are skipped without a log line where the limiter refuses the call", async () => {
    log.error.mockClear();
    const held = new RetryableError("provider_key", "no reservation", { details: { sent: false } });
    expect((await tryAll(held, null)).end).toBe("engine-1");
    expect(log.error).not.toHaveBeenCalled();
  });

  test("are not asked after an error of our own or an unknown one", async () => {
    const ours = new RetryableError("storage_failed", "disk");
    expect((await tryAll(ours, null)).end).toBe(ours);
    const bug = new TypeError("bug");
    expect((await tryAll(bug, null)).end).toBe(bug);
  });

  test.each([
    ["what ends by itself over what a person must fix", [badKey, throttled()], "throttled"],
    ["a refusal of this machine over what an engine never can", [unsupported, blocked], "blocked"],
    ["the same in the other order", [blocked, unsupported], "blocked"],
    [
      "a link that was refused over everything",
      [throttled(), new RetryableError("stale_link", "403"), badKey],
      "stale_link",
    ],
  ])("that all fail give %s", async (_what, errors, code) => {
    expect((await tryAll(...errors)).end).toMatchObject({ code });
  });

  test("that all are throttled give the shortest wait", async () => {
    expect((await tryAll(throttled(9_000), throttled(1_000), throttled())).end).toMatchObject({
      retryAfterMs: 1_000,
    });
  });

  test("that fail for want of a key or balance alert, though another one answers", async () => {
    log.error.mockClear();
    await tryAll(badKey, null);
    expect(log.error).toHaveBeenCalledWith(
      { engine: "engine-0", code: "provider_key" },
      "engine failed",
    );
  });

  test("are left alone once the job is aborted", async () => {
    const abort = new AbortController();
    const asked: string[] = [];
    const result = tryEngines(
      [engine("a"), engine("b")],
      async ({ id }) => {
        asked.push(id);
        abort.abort();
        throw throttled();
      },
      { signal: abort.signal, log },
    );
    await expect(result).rejects.toMatchObject({ code: "throttled" });
    expect(asked).toEqual(["a"]);
  });
});

test("every code with failover has a rank: a code without one would come first", async () => {
  const refused = new RetryableError("stale_link", "403");
  for (const [code, { failover }] of Object.entries(ERROR_CODES)) {
    if (!failover || code === "stale_link") continue;
    const error = Object.assign(new RetryableError("bad_response", ""), { code });
    expect((await tryAll(error, refused)).end, code).toBe(refused);
  }
});
