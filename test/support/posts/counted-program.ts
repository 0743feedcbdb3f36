import { readFile, rm, writeFile } from "node:fs/promises";

/** A program that counts its starts. */
export interface CountedProgram {
  path: string;
  /** How often it was started since the last call. */
  takeCount(): Promise<number>;
}

/** Writes a script at `path` that writes down each start, and becomes the program of that name. */
export async function createCountedProgram(path: string, program: string): Promise<CountedProgram> {
  const log = `${path}.starts`;
  await writeFile(path, `#!/bin/sh\necho >> '${log}'\nexec ${program} "$@"\n`, { mode: 0o755 });
  return {
    path,
    async takeCount() {
      const starts = await readFile(log, "utf8").catch(() => "");
      await rm(log, { force: true });
      return starts.length;
    },
  };
}
