import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@clipmill/postgres";
import { type MixReport, runMix } from "../support/mixed/run-mix.ts";
import { startTestRedis } from "../support/servers/global-setup-redis.ts";
import { hasFfmpeg } from "../support/posts/media-fixtures.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { createBenchDatabase, readDurability } from "./support/servers.ts";

/**
 * Half good and half bad posts, a fifth of all requests hit by a fault, everything on this machine: the figure that
 * counts is that of the posts that ended otherwise than planted. Exits with 1 where there is one.
 */
const posts = numberOption("posts", 2_000);
const seed = numberOption("seed", 1);

function print(report: MixReport, facts: Record<string, string>): boolean {
  const { deviations, leaks, forbiddenConnections } = report;
  const met = deviations.length === 0 && leaks.length === 0 && forbiddenConnections === 0;
  printReport(
    {
      name: "fetch",
      rounds: 1,
      medians: { posts_per_second: posts / report.seconds },
      ratio: null,
      bar: "every post ends as planted, nothing leaked, no forbidden connection",
      met,
      checks: {
        posts,
        fault_share_of_requests: Number(report.faultShare.toFixed(3)),
        deviations: deviations.length,
        leaks: leaks.length,
        forbidden_connections: forbiddenConnections,
        broken_files_swept: report.orphans,
        ...report.ends,
        ...facts,
      },
      simulated: true,
    },
    { json },
  );
  for (const line of [...deviations, ...leaks]) process.stderr.write(`${line}\n`);
  return met;
}

if (!hasFfmpeg) throw new Error("the benchmark needs ffmpeg: the planted files are made with it");
const directory = await mkdtemp(join(tmpdir(), "clipmill-bench-"));
const redis = await startTestRedis();
const postgres = await startEmbeddedPostgres({
  directory: join(directory, "postgres"),
  log: { info() {} },
});
try {
  const databaseUrl = await createBenchDatabase({ postgresUrl: postgres.url });
  const home = join(directory, "home");
  await mkdir(home);
  const report = await runMix({
    databaseUrl,
    redisUrl: redis?.url ?? null,
    directory: home,
    posts,
    seed,
  });
  const facts = await readDurability(postgres.url);
  const queue = redis === null ? "postgres" : "redis";
  if (!print(report, { queue, ...facts })) process.exitCode = 1;
} finally {
  await postgres.close();
  await redis?.close();
  await rm(directory, { recursive: true, force: true });
}
