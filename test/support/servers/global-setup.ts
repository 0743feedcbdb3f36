import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { startTestPostgres } from "./global-setup-postgres.ts";
import { startTestRedis } from "./global-setup-redis.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A superuser's connection: tests create their own databases beside the one that it names. */
    postgresUrl: string;
    /** Null: there is no Redis here, and what needs one is skipped. */
    redisUrl: string | null;
    tools: Tools;
  }
}

/** What this machine has; a part that needs what is missing is skipped by name. */
export interface Tools {
  ffmpeg: boolean;
  pocketsphinx: boolean;
  tesseract: boolean;
  /** The project's folder of clips and contracts beside the clone. */
  shared: boolean;
}

/** One Postgres and, where possible, one Redis for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  project.provide("postgresUrl", postgres.url);
  project.provide("redisUrl", redis?.url ?? null);
  project.provide("tools", {
    ffmpeg: runs("ffmpeg", "-version") && runs("ffprobe", "-version"),
    pocketsphinx: isOnPath("pocketsphinx_continuous"),
    tesseract: runs("tesseract", "--version"),
    shared: existsSync(new URL("../../../../shared/clips", import.meta.url)),
  });
  return async () => {
    await Promise.all([postgres.close(), redis?.close()]);
  };
}

function runs(program: string, ...args: string[]): boolean {
  return spawnSync(program, args).status === 0;
}

function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "")
    .split(":")
    .some((directory) => existsSync(`${directory}/${program}`));
}
