import { describe, expect, test } from "vitest";
import { type EngineSettings, toRecipes } from "./catalog.ts";

const settings: EngineSettings = {
  asrEngines: [],
  asrModel: "whisper-1",
  asrUsdPerMinute: 0,
  pocketsphinxPath: "pocketsphinx_continuous",
  tesseractPath: "tesseract",
  llmEngines: [],
  anthropicBaseUrl: "https://api.anthropic.com",
  claudeModel: "claude-haiku-5-5",
};
const recipes = (changes: Partial<EngineSettings>) => toRecipes({ ...settings, ...changes });
const sandboxUrl = "http://127.0.0.1:1";
const asrBaseUrl = "http://127.0.0.1:2";

describe("without any setting", () => {
  test("everything that needs no key is asked, and there is no source", () => {
    expect(toRecipes(settings)).toEqual({
      source: [],
      asr: ["pocketsphinx:en-us"],
      ocr: ["tesseract:eng"],
      llm: ["extractive:v1"],
    });
  });

  test("a local file is its own source", () => {
    expect(toRecipes(settings, { origin: "file" }).source).toEqual(["file"]);
  });
});

test("the sandbox comes after real recognition and stands in for keys that are missing", () => {
  expect(recipes({ sandboxUrl })).toEqual({
    source: ["tiklive@sandbox"],
    asr: ["pocketsphinx:en-us", "openai@sandbox:recorded"],
    ocr: ["tesseract:eng"],
    llm: ["claude@sandbox:claude-haiku-5-5"],
  });
});

test("real keys keep the sandbox out", () => {
  const real = recipes({ sandboxUrl, anthropicApiKey: "k", tikliveApiKey: "k", asrBaseUrl });
  expect(real.source).toEqual(["tiklive"]);
  expect(real.llm).toEqual(["claude:claude-haiku-5-5"]);
  expect(real.asr.slice(0, 2)).toEqual(["openai:whisper-1", "pocketsphinx:en-us"]);
});

describe("sources of posts", () => {
  const order = ["ytdlp", "tiklive", "tikwm"];
  test("are asked in the listed order", () => {
    expect(recipes({ postSources: order, tikliveApiKey: "k" }).source).toEqual(order);
  });

  test("have the sandbox in tiklive's place while there is no key", () => {
    expect(recipes({ postSources: order, sandboxUrl }).source).toEqual([
      "ytdlp",
      "tiklive@sandbox",
      "tikwm",
    ]);
  });

  test("that are listed without tiklive leave the sandbox out", () => {
    expect(recipes({ postSources: ["tikwm"], sandboxUrl }).source).toEqual(["tikwm"]);
  });
});

test("a listed order is taken as it is", () => {
  const listed = recipes({
    asrBaseUrl,
    asrEngines: ["pocketsphinx", "openai", "pocketsphinx"],
    anthropicApiKey: "k",
    llmEngines: ["extractive", "claude"],
  });
  expect(listed.asr).toEqual(["pocketsphinx:en-us", "openai:whisper-1"]);
  expect(listed.llm).toEqual(["extractive:v1", "claude:claude-haiku-5-5"]);
});

describe("a wrong setting is named:", () => {
  test.each([
    [
      { asrEngines: ["whisper"] },
      'ASR_ENGINES lists "whisper"; the engines are openai, pocketsphinx',
    ],
    [
      { llmEngines: ["toString"] },
      'LLM_ENGINES lists "toString"; the engines are claude, extractive',
    ],
    [
      { postSources: ["tiktok"] },
      'POST_SOURCES lists "tiktok"; the engines are tiklive, tikwm, ytdlp',
    ],
    [{ postSources: ["tiklive"] }, "POST_SOURCES lists tiklive, so TIKLIVE_API_KEY must be set"],
    [{ asrEngines: ["openai"] }, "ASR_ENGINES lists openai, so ASR_BASE_URL must be set"],
    [{ llmEngines: ["claude"] }, "LLM_ENGINES lists claude, so ANTHROPIC_API_KEY must be set"],
  ])("%j", (changes, message) => {
    expect(() => recipes(changes)).toThrow(message);
  });
});
