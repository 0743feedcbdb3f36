import { ENV, loadConfig } from "@clipmill/config";
import { toEngineId } from "@clipmill/domain";
import {
  type AsrModule,
  CATALOG,
  type Catalog,
  createEngines,
  examineEngines,
  toRecipes,
} from "@clipmill/providers";
import { expect, test } from "vitest";
import { z } from "zod";
import { toUpstreamPolicies } from "./upstream-policies.ts";

const settings = z.object({ PARROT_URL: z.string().optional(), PARROT_MODEL: z.string() });

/** An engine that clipmill does not have: it says a person's own words back. */
const parrot: AsrModule<z.infer<typeof settings>> = {
  name: "parrot",
  settings,
  needs: "PARROT_URL",
  toId: ({ PARROT_MODEL }, { sandbox }) => toEngineId("parrot", { model: PARROT_MODEL, sandbox }),
  create: ({ PARROT_URL = "" }, { engine }) => ({
    id: engine,
    supports: () => true,
    estimateUsd: () => 0,
    transcribe: async () => ({
      language: "en",
      segments: [{ startMs: 0, endMs: 1, text: `from ${PARROT_URL}` }],
      usd: 0,
    }),
  }),
  find: async ({ PARROT_URL }) => (PARROT_URL === "nowhere" ? null : { path: PARROT_URL ?? "" }),
  rate: ({ PARROT_URL = null }) => ({
    rate: { calls: 7, windowMs: 1_000, burst: 1 },
    credential: PARROT_URL,
  }),
  doctor: async ({ PARROT_URL }) => ({
    name: "parrot",
    found: PARROT_URL ?? null,
    without: "no parrot",
    advice: "set PARROT_URL",
  }),
  toSandbox: (own, url) => ({ ...own, PARROT_URL: `${url}/parrot`, PARROT_MODEL: "wooden" }),
};

const catalog: Catalog = { ...CATALOG, asr: [parrot, ...CATALOG.asr] };
/** Without the others, which look for their programs: unit tests start none. */
const alone: Catalog = { posts: [], asr: [parrot], ocr: [], llm: [] };
const config = { ...loadConfig({}), PARROT_MODEL: "grey" };
const withUrl = { ...config, PARROT_URL: "a" };

test("a line in the catalog is all that an engine of one's own costs", async () => {
  expect(toRecipes(withUrl, { catalog }).asr).toEqual(["parrot:grey", "pocketsphinx:en-us"]);

  const { asr } = await createEngines(withUrl, alone);
  const created = asr.find(({ id }) => id === "parrot:grey");
  const audio = { wavPath: "", mediaSha256: "", durationMs: 1, language: null };
  const heard = await created?.transcribe(audio, { signal: new AbortController().signal });
  expect(heard?.segments[0]?.text).toBe("from a");

  const policy = toUpstreamPolicies(withUrl, ["parrot:grey"], catalog)["parrot:grey"];
  expect(policy?.rate).toEqual({ calls: 7, windowMs: 1_000, burst: 1 });
  expect(policy?.id).toMatch(/^parrot:grey#[0-9a-f]{8}$/);

  expect(await examineEngines(withUrl, alone)).toMatchObject([{ name: "parrot", found: "a" }]);
});

test("where it is not, it is not created, and the person is told what to do", async () => {
  expect((await createEngines(config, alone)).asr).toEqual([]);
  expect((await createEngines({ ...withUrl, PARROT_URL: "nowhere" }, alone)).asr).toEqual([]);
  expect(() => toRecipes({ ...config, ASR_ENGINES: ["parrot"] }, { catalog })).toThrow(
    "ASR_ENGINES lists parrot, so PARROT_URL must be set",
  );
  expect(await examineEngines(config, alone)).toMatchObject([
    { name: "parrot", found: null, advice: "set PARROT_URL" },
  ]);
});

test("the sandbox stands in for it under a name that says so, and without a rate", async () => {
  const simulated = { ...config, CLIPMILL_SANDBOX_URL: "http://127.0.0.1:1" };
  expect(toRecipes(simulated, { catalog }).asr).toContain("parrot@sandbox:wooden");
  const { asr } = await createEngines(simulated, alone);
  expect(asr.map(({ id }) => id)).toEqual(["parrot@sandbox:wooden"]);
  const policies = toUpstreamPolicies(simulated, ["parrot@sandbox:wooden"], catalog);
  expect(policies["parrot@sandbox:wooden"]?.rate).toBeNull();
});

const MODULES = Object.values(CATALOG).flat();

test.each(MODULES)("$name reads variables that the configuration has", (module) => {
  expect(Object.keys(ENV)).toEqual(expect.arrayContaining(Object.keys(module.settings.shape)));
  expect(() => module.settings.parse(loadConfig({}))).not.toThrow();
});

test("no two engines have one name, of whatever kind: limits are found by it", () => {
  const names = MODULES.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});
