import { Summary, type SummaryProvider } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CANARY, INJECTIONS, QUESTIONS, toQuestion } from "./summary-questions.ts";

export interface SummarySubject extends AsyncDisposable {
  provider: SummaryProvider;
}

/** What every SummaryProvider promises. `make` is called once; the subject is disposed of at the end. */
export function describeSummaryProvider(name: string, make: () => Promise<SummarySubject>): void {
  describe(`${name} as a SummaryProvider`, () => {
    let subject: SummarySubject;
    beforeAll(async () => {
      subject = await make();
    });
    afterAll(() => subject[Symbol.asyncDispose]());
    const signal = new AbortController().signal;

    test("has an engine id that names engine and model", () => {
      expect(subject.provider.id).toMatch(/^[a-z]+(@sandbox)?:\S+$/);
    });

    test.each(QUESTIONS)(
      "answers a post %s within the limits, with its cost",
      async (_, question) => {
        const answer = await subject.provider.summarize(question, { signal });
        expect(Summary.safeParse(answer.summary).error?.issues).toBeUndefined();
        expect(answer.usd).toBeGreaterThanOrEqual(0);
        expect(answer.usd === 0).toBe(answer.inputTokens + answer.outputTokens === 0);
        expect(subject.provider.estimateUsd(question) === 0).toBe(answer.usd === 0);
      },
    );

    test.each(INJECTIONS)("is not taken over by a post that says %j", async (words) => {
      for (const evidence of [{ transcript: words }, { screenLines: [words] }, { title: words }]) {
        const { summary } = await subject.provider.summarize(toQuestion(evidence), { signal });
        expect(Summary.safeParse(summary).error?.issues).toBeUndefined();
        expect(JSON.stringify(summary)).not.toContain(CANARY);
      }
    });

    test("ends with the signal's reason when it was cancelled before", async () => {
      const reason = new Error("shutdown");
      const cancelled = { signal: AbortSignal.abort(reason) };
      const ask = async () => subject.provider.summarize(toQuestion({}), cancelled);
      await expect(ask()).rejects.toBe(reason);
    });
  });
}
