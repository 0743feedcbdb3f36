import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTesseract } from "../../../packages/providers/src/ocr/tesseract/create-tesseract.ts";
import { findTesseract } from "../../../packages/providers/src/ocr/tesseract/find-tesseract.ts";
import {
  describeOcrProvider,
  type OcrSubject,
} from "../../support/conformance/describe-ocr-provider.ts";
import { casePath, hasCases } from "../../support/cases.ts";
import { drawWithFfmpeg, hasProgram } from "../../support/servers/programs.ts";

const LINES = ["Five good things", "about fresh coffee"];
const hasTesseract = (await findTesseract("tesseract")) !== null;
const hasFfmpeg = hasProgram("ffmpeg", "-version");
const signal = new AbortController().signal;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-ocr-test-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function toSubject(ffmpegPath?: string): Promise<OcrSubject> {
  const [picturePath, blankPath, notPicturePath] = ["text.png", "blank.png", "list.png"].map(
    (name) => join(directory, name),
  ) as [string, string, string];
  if (!existsSync(picturePath)) {
    drawWithFfmpeg(LINES, picturePath);
    drawWithFfmpeg([], blankPath);
    await writeFile(notPicturePath, `${picturePath}\n`);
  }
  return {
    provider: createTesseract({ path: "tesseract", ffmpegPath }),
    picturePath,
    lines: LINES,
    blankPath,
    notPicturePath,
    async [Symbol.asyncDispose]() {},
  };
}

describe.skipIf(!hasTesseract || !hasFfmpeg)("(needs tesseract and ffmpeg)", () => {
  describeOcrProvider("tesseract", () => toSubject());
  describeOcrProvider("tesseract with ffmpeg's threshold", () => toSubject("ffmpeg"));

  test("white text on a busy picture is read with the threshold, and not without", async () => {
    const picturePath = join(directory, "busy.png");
    drawWithFfmpeg(["Hidden words here"], picturePath, { noise: 100 });
    const read = (ffmpegPath?: string) =>
      createTesseract({ path: "tesseract", ffmpegPath }).readLines(picturePath, { signal });
    expect(await read("ffmpeg")).toEqual(["Hidden words here"]);
    expect(await read()).not.toEqual(["Hidden words here"]);
  }, 30_000);
});

describe.skipIf(!hasTesseract || !hasFfmpeg)("a script that tesseract has no data for", () => {
  const read = async (picturePath: string) => {
    let unread = 0;
    const provider = createTesseract({ path: "tesseract", ffmpegPath: "ffmpeg" });
    const lines = await provider.readLines(picturePath, { signal, onUnread: () => unread++ });
    return { lines, unread };
  };

  test("gives nothing and is told, Latin text beside it is read (needs tesseract and ffmpeg)", async () => {
    const picturePath = join(directory, "scripts.png");
    drawWithFfmpeg(["Καλημέρα σε όλους", "Five good things"], picturePath);
    expect(await read(picturePath)).toEqual({ lines: ["Five good things"], unread: 1 });
  }, 30_000);

  test.skipIf(!hasCases)(
    "is told of Arabic and Cyrillic in a clip (needs ../shared/cases)",
    async () => {
      const picturePath = join(directory, "rtl.png");
      const clip = casePath("40-ocr-other-script", "rtl.mp4");
      execFileSync("ffmpeg", [
        "-v",
        "error",
        "-nostdin",
        "-i",
        clip,
        "-frames:v",
        "1",
        picturePath,
      ]);
      expect(await read(picturePath)).toEqual({ lines: [], unread: 1 });
    },
    30_000,
  );
});

const PNG_HEAD = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0]);

async function toProgram(name: string, script: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o700);
  return path;
}

describe("tesseract", () => {
  let picturePath: string;
  beforeAll(async () => {
    picturePath = join(directory, "head.png");
    await writeFile(picturePath, PNG_HEAD);
  });

  test("is not found where the program is missing, or has no English", async () => {
    expect(await findTesseract(join(directory, "none"))).toBeNull();
    expect(await findTesseract("false")).toBeNull();
    const path = await toProgram(
      "german",
      '[ "$1" = --version ] && echo "tesseract 5.3.0" || printf "List of available languages (1):\\ndeu\\n"',
    );
    expect(await findTesseract(path)).toBeNull();
  });

  test("tells its version where it is found", async () => {
    const path = await toProgram(
      "english",
      '[ "$1" = --version ] && echo "tesseract 5.3.0" || printf "List of available languages (2):\\neng\\nosd\\n"',
    );
    expect(await findTesseract(path)).toEqual({ path, version: "5.3.0" });
  });

  test("that is not installed is unavailable, not broken", async () => {
    const provider = createTesseract({ path: join(directory, "none") });
    await expect(provider.readLines(picturePath, { signal })).rejects.toMatchObject({
      code: "engine_unavailable",
    });
  });

  test("that crashes has failed", async () => {
    const provider = createTesseract({ path: "false" });
    await expect(provider.readLines(picturePath, { signal })).rejects.toMatchObject({
      code: "engine_failed",
    });
  });

  test.skipIf(process.platform !== "linux")("has 1.5 GB of memory at most (on Linux)", async () => {
    // It decodes all frames of a GIF at once: 120 of them took 4.6 GB.
    const seenPath = join(directory, "limit-seen");
    const provider = createTesseract({ path: await toProgram("limit", `ulimit -v > ${seenPath}`) });
    await provider.readLines(picturePath, { signal });
    expect(await readFile(seenPath, "utf8")).toBe(`${1.5 * 1024 * 1024}\n`);
  });

  test("gets no file that is missing or no picture", async () => {
    const provider = createTesseract({ path: await toProgram("echo", "echo never read") });
    const missing = join(directory, "missing.png");
    await expect(provider.readLines(missing, { signal })).rejects.toMatchObject({
      code: "storage_failed",
    });
    for (const head of ["", "http://127.0.0.1/secret.png\n", "RIFF1234WAVE", "\u0089PNG"]) {
      const path = join(directory, "other.png");
      await writeFile(path, head, "latin1");
      await expect(provider.readLines(path, { signal })).rejects.toMatchObject({
        code: "corrupt_media",
      });
    }
  });

  test("leaves no file behind, also where the threshold fails", async () => {
    const isOurs = (name: string): boolean =>
      name.startsWith("clipmill-ocr-") && !name.startsWith("clipmill-ocr-test-");
    const before = (await readdir(tmpdir())).filter(isOurs);
    const provider = createTesseract({
      path: await toProgram("reads", "echo some words"),
      ffmpegPath: "false",
    });
    await expect(provider.readLines(picturePath, { signal })).rejects.toMatchObject({
      code: "engine_failed",
    });
    expect((await readdir(tmpdir())).filter(isOurs)).toEqual(before);
  });
});
