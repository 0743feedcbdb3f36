import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProgramError, runProgram } from "../../programs/run-program.ts";
import { toWavHeader, WAV_BYTES_PER_MS } from "../wav.ts";

const SILENCE_BYTES = 10 * WAV_BYTES_PER_MS;

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
    await writeFile(
      wavPath,
      Buffer.concat([toWavHeader(SILENCE_BYTES), Buffer.alloc(SILENCE_BYTES)]),
    );
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
