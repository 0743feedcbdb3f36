import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProgramError, runProgram } from "../../programs/run-program.ts";

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
