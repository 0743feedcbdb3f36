import type { OcrProvider } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

export interface OcrSubject extends AsyncDisposable {
  provider: OcrProvider;
  /** A picture with big text, and its lines from top to bottom. */
  picturePath: string;
  lines: string[];
  /** A picture without text. */
  blankPath: string;
  /** A text file; readers that follow paths in it would find `picturePath`. */
  notPicturePath: string;
}

/** What every OcrProvider promises. `make` is called once; the subject is disposed of at the end. */
export function describeOcrProvider(name: string, make: () => Promise<OcrSubject>): void {
  describe(`${name} as an OcrProvider`, () => {
    let subject: OcrSubject;
    beforeAll(async () => {
      subject = await make();
    }, 30_000);
    afterAll(() => subject[Symbol.asyncDispose]());
    const signal = new AbortController().signal;

    test("reads lines from top to bottom", async () => {
      const { provider, picturePath, lines } = subject;
      expect(await provider.readLines(picturePath, { signal })).toEqual(lines);
    }, 30_000);

    test("reads nothing where there is no text", async () => {
      expect(await subject.provider.readLines(subject.blankPath, { signal })).toEqual([]);
    }, 30_000);

    test("refuses a file that is no picture, and follows no path in it", async () => {
      await expect(
        subject.provider.readLines(subject.notPicturePath, { signal }),
      ).rejects.toMatchObject({ code: "corrupt_media" });
    });

    test("ends with the signal's reason when it is cancelled", async () => {
      const reason = new Error("shutdown");
      const before = { signal: AbortSignal.abort(reason) };
      await expect(subject.provider.readLines(subject.picturePath, before)).rejects.toBe(reason);
      const controller = new AbortController();
      const done = subject.provider.readLines(subject.picturePath, { signal: controller.signal });
      setImmediate(() => controller.abort(reason));
      await expect(done).rejects.toBe(reason);
    });
  });
}
