import { type AsrProvider, RetryableError, toEngineId, UnrecoverableError } from "@clipmill/domain";
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
        throw new UnrecoverableError("unsupported", "pocketsphinx hears English only");
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
