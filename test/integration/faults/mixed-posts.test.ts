import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { type MixReport, runMix } from "../../support/mixed/run-mix.ts";
import { createTestDatabase } from "../../support/servers/database.ts";
import { hasFfmpeg } from "../../support/posts/media-fixtures.ts";

const POSTS = 84;

describe.skipIf(!hasFfmpeg)("a mix of good and bad posts under faults (needs ffmpeg)", () => {
  let report: MixReport;
  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), "clipmill-mixed-"));
    const database = await createTestDatabase();
    try {
      const redisUrl = inject("redisUrl");
      report = await runMix({ databaseUrl: database.url, redisUrl, directory, posts: POSTS });
    } finally {
      await database.drop();
      await rm(directory, { recursive: true });
    }
  }, 120_000);

  test("ends with each post in exactly the outcome that it was planted with", () => {
    expect(report.deviations).toEqual([]);
    expect(Object.values(report.ends).reduce((sum, count) => sum + count, 0)).toBe(POSTS);
  });

  test("was hit by faults all the while", () => {
    // A fifth; of some 180 calls it is less than this once in ten thousand runs.
    expect(report.faultShare).toBeGreaterThan(0.09);
  });

  test("leaves nothing on the disk but files that rows know, as they were named", () => {
    expect(report.leaks).toEqual([]);
  });

  test("connects to no forbidden address", () => {
    expect(report.forbiddenConnections).toBe(0);
  });
});
