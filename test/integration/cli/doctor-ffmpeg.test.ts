import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "@clipmill/config";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examineFfmpeg } from "../../../apps/cli/src/doctor/machine.ts";

describe.skipIf(process.platform === "win32")("the doctor times the start of ffmpeg", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-doctor-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** What the doctor finds of an ffmpeg that does this before it tells its version. */
  async function examine(first: string) {
    const script = `#!/bin/sh\n${first}\necho "ffmpeg version 9.9"\n`;
    for (const name of ["ffmpeg", "ffprobe"])
      await writeFile(join(directory, name), script, { mode: 0o755 });
    const env = { FFMPEG_PATH: join(directory, "ffmpeg"), CLIPMILL_HOME: directory };
    return examineFfmpeg(loadConfig(env));
  }

  test("and says nothing of a quick one but how quick it is", async () => {
    const { status, found, advice } = await examine("");
    expect(found).toMatch(/^9\.9, starts in \d+ ms$/);
    expect({ status, advice }).toEqual({ status: "ok", advice: null });
  });

  test("and says of a slow one what to do", async () => {
    const { status, found, advice } = await examine("sleep 0.2");
    expect(found).toMatch(/^9\.9, takes [2-9]\d\d ms to start/);
    expect(status).toBe("note");
    expect(advice).toContain("FFMPEG_PATH");
  });

  // A program that other starts have slowed down is not slow: one quick start shows that.
  test("by the quickest of several", async () => {
    const counted = join(directory, "starts");
    const slowAtFirst = `echo >> "${counted}"; [ $(wc -l < "${counted}") -gt 4 ] || sleep 0.2`;
    expect(await examine(slowAtFirst)).toMatchObject({ status: "ok" });
  });
});
