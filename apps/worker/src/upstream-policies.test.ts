import { loadConfig } from "@clipmill/config";
import { expect, test } from "vitest";
import { toUpstreamPolicies } from "./upstream-policies.ts";

const KEY = "a-secret-key";

test("engines that run here have no gate, other people's machines do", () => {
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
