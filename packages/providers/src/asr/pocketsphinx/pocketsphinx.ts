import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AsrProvider, RetryableError, toEngineId } from "@clipmill/domain";
import { ProgramError, runProgram } from "../../programs/run-program.ts";
import { parsePocketsphinx } from "./pocketsphinx-output.ts";
import { tidySegments } from "../tidy-segments.ts";

export interface PocketsphinxOptions {
  /** The program `pocketsphinx_continuous`. */
  path: string;
  /** Default 30 min: an hour of audio at the 0.4 × real time that was measured on a loaded 2-core machine. */
  timeoutMs?: number;
}

export const POCKETSPHINX_ID = toEngineId("pocketsphinx", { model: "en-us" });

/**
 * Debian's PocketSphinx with its US English model: real recognition on any CPU, without a download. English only, no
 * punctuation. The language is `en` whatever was spoken: the words that it finds are English ones.
 */
export function createPocketsphinx({
  path,
  timeoutMs = 30 * 60_000,
}: PocketsphinxOptions): AsrProvider {
  const supports = (language: string | null): boolean =>
    language === null || /^en(-|$)/i.test(language);
  return {
    id: POCKETSPHINX_ID,
    supports,
    estimateUsd: () => 0,
    async transcribe({ wavPath, language }, { signal }) {
      if (!supports(language)) {
        throw new RetryableError("engine_unavailable", "pocketsphinx hears English only");
      }
      const output = await decode(path, wavPath, { signal, timeoutMs });
      const segments = parsePocketsphinx(output);
      if (segments === null) {
        throw new RetryableError("engine_failed", "pocketsphinx printed words without times");
      }
      return { language: "en", segments: tidySegments(segments), usd: 0 };
    },
  };
}

async function decode(
  path: string,
  wavPath: string,
  options: { signal: AbortSignal; timeoutMs: number },
): Promise<string> {
  try {
    return await runProgram(path, ["-infile", wavPath, "-time", "yes"], options);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    if (error.reason === "missing") {
      throw new RetryableError("engine_unavailable", "pocketsphinx could not be started", {
        cause: error,
      });
    }
    throw new RetryableError("engine_failed", `pocketsphinx failed (${error.reason})`, {
      cause: error,
      details: { reason: error.reason, exitCode: error.exitCode },
    });
  }
}

/**
 * Whether the program and its model work here: it decodes 10 ms of silence, which takes about 0.45 s, since it has no
 * option that tells its version or looks for the model. Null where either is missing.
 */
export async function findPocketsphinx(
  path: string,
): Promise<{ path: string; model: string } | null> {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-probe-"));
  try {
    const wavPath = join(directory, "silence.wav");
    await writeFile(wavPath, toSilentWav(160));
    await runProgram(path, ["-infile", wavPath, "-time", "yes"], {
      signal: new AbortController().signal,
      timeoutMs: 10_000,
    });
    return { path, model: "en-us" };
  } catch (error) {
    if (error instanceof ProgramError) return null;
    throw error;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** 16 kHz mono 16-bit WAV; 160 samples are 10 ms. */
function toSilentWav(sampleCount: number): Buffer {
  const wav = Buffer.alloc(44 + sampleCount * 2);
  wav.write("RIFF", 0, "latin1");
  wav.writeUInt32LE(36 + sampleCount * 2, 4);
  wav.write("WAVEfmt ", 8, "latin1");
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(16_000, 24);
  wav.writeUInt32LE(32_000, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36, "latin1");
  wav.writeUInt32LE(sampleCount * 2, 40);
  return wav;
}
