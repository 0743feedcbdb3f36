import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { judgeSpeech } from "@clipmill/domain";
import { type SamplePost, samplePosts, toSamplePath, wordRecall } from "@clipmill/sandbox";
import { describe, expect, test } from "vitest";

const run = promisify(execFile);
const isInstalled = (program: string) => spawnSync(program, ["-version"]).error === undefined;
const canHear = isInstalled("ffmpeg") && isInstalled("pocketsphinx_continuous");

async function hear(post: SamplePost): Promise<string> {
  const media = post.files.find(({ role }) => role === "video" || role === "audio");
  if (media === undefined) throw new Error(`${post.id} has no sound`);
  const scratch = await mkdtemp(join(tmpdir(), "clipmill-pack-"));
  try {
    const wav = join(scratch, "a.wav");
    await run("ffmpeg", [
      "-v",
      "error",
      "-i",
      toSamplePath(media),
      "-ac",
      "1",
      "-ar",
      "16000",
      wav,
    ]);
    const { stdout } = await run("pocketsphinx_continuous", ["-infile", wav]);
    return stdout.trim();
  } finally {
    await rm(scratch, { recursive: true });
  }
}

describe.skipIf(!canHear)("the pack, heard for real (needs ffmpeg and pocketsphinx)", () => {
  const byKind = (kind: SamplePost["kind"]) => samplePosts().filter((post) => post.kind === kind);

  test.each(byKind("speech"))(
    "at least 90 % of the words of $id",
    { timeout: 60_000 },
    async (post) => {
      expect(wordRecall(post.words ?? "", await hear(post))).toBeGreaterThanOrEqual(0.9);
    },
  );

  test.each([...byKind("music"), ...byKind("slideshow")])(
    "no speech in the music of $id",
    { timeout: 60_000 },
    async (post) => {
      expect(judgeSpeech(await hear(post), post.durationMs)).toBe("silent");
    },
  );
});
