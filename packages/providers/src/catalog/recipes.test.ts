import { describe, expect, test } from "vitest";
import { toRecipes } from "./recipes.ts";
import type { Variables } from "./variables.ts";

const variables: Variables = {
  POST_SOURCES: [],
  TIKLIVE_BASE_URL: "https://tiklive.example",
  TIKLIVE_RATE_PER_MINUTE: 200,
  TIKLIVE_BURST: 3,
  TIKWM_BASE_URL: "https://tikwm.example",
  YTDLP_PATH: "yt-dlp",
  ASR_ENGINES: [],
  ASR_MODEL: "whisper-1",
  ASR_MAX_UPLOAD_BYTES: 26_214_400,
  ASR_USD_PER_MINUTE: 0,
  POCKETSPHINX_PATH: "pocketsphinx_continuous",
  TESSERACT_PATH: "tesseract",
  LLM_ENGINES: [],
  ANTHROPIC_BASE_URL: "https://api.anthropic.com",
  CLAUDE_MODEL: "claude-haiku-5-5",
};
const recipes = (changes: Partial<Variables>) => toRecipes({ ...variables, ...changes });
const sandbox = { CLIPMILL_SANDBOX_URL: "http://127.0.0.1:1" };
const server = { ASR_BASE_URL: "http://127.0.0.1:2" };

describe("without any setting", () => {
  test("everything that needs no key is asked, and there is no source", () => {
    expect(toRecipes(variables)).toEqual({
      source: [],
      asr: ["pocketsphinx:en-us"],
      ocr: ["tesseract:eng"],
      llm: ["extractive:v1"],
    });
  });

  test("a local file is its own source", () => {
    expect(toRecipes(variables, { origin: "file" }).source).toEqual(["file"]);
  });
});

test("the sandbox comes after real recognition and stands in for keys that are missing", () => {
  expect(recipes(sandbox)).toEqual({
    source: ["tiklive@sandbox"],
    asr: ["pocketsphinx:en-us", "openai@sandbox:recorded"],
    ocr: ["tesseract:eng"],
    llm: ["claude@sandbox:claude-haiku-5-5"],
  });
});

test("real keys keep the sandbox out", () => {
  const real = recipes({ ...sandbox, ANTHROPIC_API_KEY: "k", TIKLIVE_API_KEY: "k", ...server });
  expect(real.source).toEqual(["tiklive"]);
  expect(real.llm).toEqual(["claude:claude-haiku-5-5"]);
  expect(real.asr.slice(0, 2)).toEqual(["openai:whisper-1", "pocketsphinx:en-us"]);
});

describe("sources of posts", () => {
  const order = ["ytdlp", "tiklive", "tikwm"];
  test("are asked in the listed order", () => {
    expect(recipes({ POST_SOURCES: order, TIKLIVE_API_KEY: "k" }).source).toEqual(order);
  });

  test("have the sandbox in tiklive's place while there is no key", () => {
    expect(recipes({ POST_SOURCES: order, ...sandbox }).source).toEqual([
      "ytdlp",
      "tiklive@sandbox",
      "tikwm",
    ]);
  });

  test("that are listed without tiklive leave the sandbox out", () => {
    expect(recipes({ POST_SOURCES: ["tikwm"], ...sandbox }).source).toEqual(["tikwm"]);
  });
});

test("a listed order is taken as it is", () => {
  const listed = recipes({
    ...server,
    ASR_ENGINES: ["pocketsphinx", "openai", "pocketsphinx"],
    ANTHROPIC_API_KEY: "k",
    LLM_ENGINES: ["extractive", "claude"],
  });
  expect(listed.asr).toEqual(["pocketsphinx:en-us", "openai:whisper-1"]);
  expect(listed.llm).toEqual(["extractive:v1", "claude:claude-haiku-5-5"]);
});

describe("a wrong setting is named:", () => {
  test.each<[Partial<Variables>, string]>([
    [
      { ASR_ENGINES: ["whisper"] },
      'ASR_ENGINES lists "whisper"; the engines are openai, pocketsphinx',
    ],
    [
      { LLM_ENGINES: ["toString"] },
      'LLM_ENGINES lists "toString"; the engines are claude, extractive',
    ],
    [
      { POST_SOURCES: ["tiktok"] },
      'POST_SOURCES lists "tiktok"; the engines are tiklive, tikwm, ytdlp',
    ],
    [{ POST_SOURCES: ["tiklive"] }, "POST_SOURCES lists tiklive, so TIKLIVE_API_KEY must be set"],
    [{ ASR_ENGINES: ["openai"] }, "ASR_ENGINES lists openai, so ASR_BASE_URL must be set"],
    [{ LLM_ENGINES: ["claude"] }, "LLM_ENGINES lists claude, so ANTHROPIC_API_KEY must be set"],
  ])("%j", (changes, message) => {
    expect(() => recipes(changes)).toThrow(message);
  });
});
