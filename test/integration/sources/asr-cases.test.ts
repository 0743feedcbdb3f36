import { readFile } from "node:fs/promises";
import { judgeSpeech, toText } from "@clipmill/domain";
import { expect, test } from "vitest";
import { parseOpenAiAnswer } from "../../../packages/providers/src/asr/openai/openai-answer.ts";
import { casePath, hasCases } from "../../support/cases.ts";

test.skipIf(!hasCases)(
  "twelve seconds of Japanese are speech (needs ../shared/cases)",
  async () => {
    const body = await readFile(casePath("55-speech-without-spaces", "transcription.json"), "utf8");
    const durationMs = 12_000;
    const answer = parseOpenAiAnswer(body, { durationMs, language: null });
    expect(answer).toMatchObject({ language: "ja", saidNoSpeech: false });
    expect(judgeSpeech(toText(answer?.segments ?? []), durationMs)).toBe("speech");
  },
);
