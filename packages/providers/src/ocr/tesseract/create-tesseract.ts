import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OcrProvider, RetryableError, toEngineId, UnrecoverableError } from "@clipmill/domain";
import { toProgramEnv } from "../../programs/program-env.ts";
import { ProgramError, runProgram } from "../../programs/run-program.ts";
import { type Reading, selectReading, toReading } from "./tesseract-lines.ts";

export interface TesseractOptions {
  path: string;
  /** With ffmpeg the picture is also read with everything but near-white blacked out. Default: read as it is only. */
  ffmpegPath?: string | undefined;
  /** For one picture and one reading. Default 30 s; 0.3 s was measured for a frame of 720 × 1280. */
  timeoutMs?: number;
}

export const TESSERACT_ID = toEngineId("tesseract", { model: "eng" });

/**
 * Near-white text on anything else: captions are mostly that. On seven synthetic frames it took tesseract from 38 to
 * 53 of 61 words. It loses yellow captions altogether, so the picture is read as it is too.
 */
const NEAR_WHITE = "format=gray,lutyuv=y='if(gt(val,235),0,255)'";

/** Where its language data lies, and how many threads it takes, where somebody says so. */
export const TESSERACT_ENV: readonly string[] = ["TESSDATA_PREFIX", "OMP_THREAD_LIMIT"];

/**
 * Of one child. A picture of 8 million pixels, the largest that the stage gives it, takes 0.17 GB (0.7 GB of address
 * space are enough). A GIF of 120 frames took 4.6 GB without a limit: tesseract decodes all of them.
 */
const MAX_MEMORY_BYTES = 1.5 * 1024 ** 3;

/** Debian's tesseract with its English data. */
export function createTesseract({
  path,
  ffmpegPath,
  timeoutMs = 30_000,
}: TesseractOptions): OcrProvider {
  const read = async (imagePath: string, signal: AbortSignal): Promise<Reading> => {
    const args = [imagePath, "stdout", "-l", "eng", "--psm", "3", ...AS_TABLE];
    return toReading(await run(path, args, { signal, timeoutMs }));
  };
  const readBest = async (imagePath: string, signal: AbortSignal): Promise<Reading> => {
    const plain = await read(imagePath, signal);
    if (ffmpegPath === undefined) return plain;
    const directory = await mkdtemp(join(tmpdir(), "clipmill-ocr-"));
    try {
      const whitePath = join(directory, "white.png");
      const args = toThresholdArgs(imagePath, whitePath);
      await run(ffmpegPath, args, { signal, timeoutMs });
      return selectReading(plain, await read(whitePath, signal));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
  return {
    id: TESSERACT_ID,
    async readLines(imagePath, { signal, onUnread }) {
      signal.throwIfAborted();
      await checkPicture(imagePath);
      const { lines, hasUnread } = await readBest(imagePath, signal);
      if (hasUnread) onUnread?.();
      return lines;
    },
  };
}

/** Words with their confidence: in a script that it does not know, tesseract makes words up. */
const AS_TABLE = ["-c", "tessedit_create_tsv=1"];

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]).toString("latin1");

/** Whether a file that begins so (12 bytes as latin1) is a PNG, JPEG, GIF or WebP. */
function isPicture(head: string): boolean {
  return head.startsWith(PNG) || /^(\xff\xd8\xff|GIF8[79]a|RIFF[^]{4}WEBP)/.test(head);
}

/**
 * tesseract takes any other file for a list of paths and URLs, and reads those: a "picture" from outside could so
 * fetch from our network or quote our files.
 */
async function checkPicture(imagePath: string): Promise<void> {
  const file = await open(imagePath).catch((cause: unknown) => {
    throw new RetryableError("storage_failed", "the picture cannot be opened", { cause });
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(12), 0, 12, 0);
    if (isPicture(buffer.toString("latin1", 0, bytesRead))) return;
  } finally {
    await file.close();
  }
  throw new UnrecoverableError("corrupt_media", "the file is no PNG, JPEG, GIF or WebP picture");
}

function toThresholdArgs(imagePath: string, outputPath: string): string[] {
  // The picture may come from anywhere: local files only, and no frame that fills the memory.
  const input = [
    "-nostdin",
    "-v",
    "error",
    "-protocol_whitelist",
    "file",
    "-max_alloc",
    "500000000",
  ];
  return [...input, "-i", imagePath, "-vf", NEAR_WHITE, "-frames:v", "1", "-y", outputPath];
}

async function run(
  path: string,
  args: readonly string[],
  options: { signal: AbortSignal; timeoutMs: number },
): Promise<string> {
  try {
    const env = toProgramEnv(TESSERACT_ENV);
    return await runProgram(path, args, {
      ...options,
      maxOutputBytes: 1024 * 1024,
      maxMemoryBytes: MAX_MEMORY_BYTES,
      env,
    });
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    if (error.reason === "missing") {
      throw new RetryableError("engine_unavailable", "the OCR program could not be started", {
        cause: error,
      });
    }
    throw new RetryableError("engine_failed", `the picture could not be read (${error.reason})`, {
      cause: error,
      details: { reason: error.reason, exitCode: error.exitCode },
    });
  }
}
