import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateDatabase } from "@clipmill/db";
import { startEmbeddedPostgres } from "@clipmill/postgres";
import type { UpstreamPolicy } from "@clipmill/domain";
import type { UpstreamCallerArgs } from "./processes/upstream-caller.ts";
import { startProcess } from "./support/child.ts";
import { startLimitedUpstream } from "./support/limited-upstream.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { readDurability } from "./support/servers.ts";
import { median } from "./support/stats.ts";

const LATENCY_MS = 40;

const rounds = numberOption("rounds", 1);
const calls = numberOption("calls", 2_400);
const workers = numberOption("workers", 4);

/**
 * TikLiveAPI's limits at 20 times the rate: 200 calls a minute, and no 50 within a second. Jobs come in bursts to several
 * processes, always more than the upstream allows. The clock runs `--clock` times as fast and the limits are raised by
 * the rest: a delay of 80 ms, which a busy machine has one time in a hundred, is 0.4 s of the real clock with 5, and
 * 1.6 s with 20.
 */
const RATE_FACTOR = 20;
const clock = numberOption("clock", 5);
const scale = RATE_FACTOR / clock;
const LIMIT = { calls: 200 * scale, windowMs: 60_000 / clock };
const BURST_LIMIT = { calls: 50 * scale, windowMs: 1_000 / clock };

const policy: UpstreamPolicy = {
  id: "bench#rate",
  rate: { ...LIMIT, burst: 3 * scale },
  maxInFlight: 20,
  maxWaitMs: 2_000,
};

async function timeRound(
  databaseUrl: string,
  round: number,
): Promise<{ used: number; refused: number }> {
  const upstream = await startLimitedUpstream([LIMIT, BURST_LIMIT], LATENCY_MS);
  const args: UpstreamCallerArgs = {
    databaseUrl,
    upstreamUrl: upstream.url,
    policy: { ...policy, id: `${policy.id}-${round}` },
    slots: 20,
    burst: { size: 300, everyMs: 5_000 },
  };
  const processes = await Promise.all(
    Array.from({ length: workers }, () => startProcess("upstream-caller.ts", args)),
  );
  for (const each of processes) each.send({ type: "go" });
  const { counts } = upstream;
  while (counts.accepted < calls) await new Promise((resolve) => setTimeout(resolve, 100));
  const permitted = (LIMIT.calls / LIMIT.windowMs) * (counts.lastAtMs - counts.firstAtMs);
  const result = {
    used: counts.accepted / permitted,
    refused: counts.refused / (counts.accepted + counts.refused),
  };
  await Promise.all(processes.map((each) => each.stop()));
  await upstream.close();
  return result;
}

const directory = await mkdtemp(join(tmpdir(), "clipmill-bench-"));
const postgres = await startEmbeddedPostgres({ directory, log: { info() {} } });
try {
  await migrateDatabase({ url: postgres.url });
  const used: number[] = [];
  const refused: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const result = await timeRound(postgres.url, round);
    used.push(result.used);
    refused.push(result.refused);
  }
  printReport(
    {
      name: "rate",
      rounds,
      medians: { used_share_of_rate: median(used), refused_share_of_calls: median(refused) },
      ratio: median(used),
      bar: "used ≥ 0.97, refused < 0.005",
      met: median(used) >= 0.97 && median(refused) < 0.005,
      checks: {
        calls,
        worker_processes: workers,
        clock: `x${clock}`,
        limits: `x${scale}`,
        window: "sliding, strict",
        ...(await readDurability(postgres.url)),
      },
      simulated: true,
    },
    { json },
  );
} finally {
  await postgres.close();
  await rm(directory, { recursive: true, force: true });
}
