import { loadConfig } from "@clipmill/config";
import type { CaptionReader, PostCaptions } from "@clipmill/domain";
import { expect, test, vi } from "vitest";
import { toUpstreamPolicies, withUpstreams } from "./upstream-policies.ts";

const KEY = "a-secret-key";

test("engines that run here have no limiter, other people's machines do", () => {
  const engines = ["tiklive", "tikwm", "file", "pocketsphinx:en-us", "claude:m", "extractive"];
  expect(Object.keys(toUpstreamPolicies(loadConfig({}), engines))).toEqual([
    "tiklive",
    "tikwm",
    "claude:m",
    "cdn",
    "tiktok",
  ]);
});

test("a policy is named after engine, model and key, without showing the key", () => {
  const toId = (key: string, engine = "tiklive") =>
    toUpstreamPolicies(loadConfig({ TIKLIVE_API_KEY: key }), [engine])[engine]?.id;
  expect(toId(KEY)).toMatch(/^tiklive#[0-9a-f]{8}$/);
  expect(toId(KEY)).not.toContain(KEY);
  expect(toId(KEY)).toBe(toId(KEY));
  expect(toId(KEY)).not.toBe(toId("another-key"));
});

test("the rate comes from the configuration; the sandbox has none", () => {
  const config = loadConfig({ TIKLIVE_RATE_PER_MINUTE: "600", TIKLIVE_BURST: "9" });
  const policies = toUpstreamPolicies(config, ["tiklive", "tiklive@sandbox", "openai:whisper-1"]);
  expect(policies["tiklive"]?.rate).toEqual({ calls: 600, windowMs: 60_000, burst: 9 });
  expect(policies["tiklive@sandbox"]?.rate).toBeNull();
  expect(policies["openai:whisper-1"]?.rate).toBeNull();
});

test("downloads and short links have a cap of their own, like any other upstream", () => {
  const toCaps = (env: Record<string, string>) =>
    Object.values(toUpstreamPolicies(loadConfig(env), ["tiklive"])).map(
      ({ maxInFlight }) => maxInFlight,
    );
  expect(toCaps({})).toEqual([20, 20, 20]);
  expect(toCaps({ UPSTREAM_IN_FLIGHT: "7" })).toEqual([7, 7, 7]);
});

test("whatever goes to TikTok's servers passes a limiter, and captions that came as text pass none", async () => {
  const { signal } = new AbortController();
  const passed: string[] = [];
  const upstreams = {
    call: <T>(upstream: string, call: () => Promise<T>) => {
      passed.push(upstream);
      return call();
    },
  };
  const file = { key: "media/x" as const, sha256: "x", bytes: 1 };
  const readCaptions = vi.fn<CaptionReader["readCaptions"]>(async () => []);
  const deps: Parameters<typeof withUpstreams>[0] = {
    fetcher: { fetch: async () => file },
    captions: { readCaptions },
    links: { resolve: async () => ({ awemeId: "7", url: "" }) },
  };
  const gated = withUpstreams(deps, upstreams);
  const toCaptions = (content: PostCaptions["content"]): PostCaptions => ({
    language: null,
    format: "vtt",
    origin: null,
    content,
  });
  expect(await gated.fetcher.fetch("https://cdn/", { signal, maxBytes: 1 })).toBe(file);
  await gated.captions.readCaptions(toCaptions({ url: "https://cdn/c" }), { signal });
  await gated.links.resolve("https://vm/", { signal });
  expect(passed).toEqual(["cdn", "cdn", "tiktok"]);
  await gated.captions.readCaptions(toCaptions({ text: "WEBVTT" }), { signal });
  expect(passed).toHaveLength(3);
  expect(readCaptions).toHaveBeenCalledTimes(2);
});
