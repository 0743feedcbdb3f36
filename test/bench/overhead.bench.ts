import { createListener, createRequestReader } from "@clipmill/db";
import { newPostId, toSubmission } from "../support/work/toy-pipeline.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { type BenchServers, startServers } from "./support/servers.ts";
import { median, percentile } from "./support/stats.ts";
import { createFleet, SUM_OF_STAGES_MS } from "./support/timed-workers.ts";

const WARM_UP_POSTS = 5;
const TIMEOUT_MS = 30_000;
const BAR = { p50: 40, p99: 150 };

const rounds = numberOption("rounds", 5);
/** Of each round. The p99 of a hundred is their worst. */
const posts = numberOption("posts", 100);

/** One post at a time through one fresh worker: what each took beyond its stages, in ms. */
async function measure(servers: BenchServers): Promise<number[]> {
  const fleet = await createFleet(servers);
  const listener = createListener({ url: fleet.database.url, onError() {} });
  const reader = createRequestReader(fleet.database, listener);
  const addedMs: number[] = [];
  try {
    await fleet.start(1);
    for (let post = -WARM_UP_POSTS; post < posts; post++) {
      const startedAt = performance.now();
      const [accepted] = await fleet.work.accept([
        toSubmission(newPostId(), { lane: "interactive" }),
      ]);
      const view = await reader.waitForRequest(accepted?.requestId ?? "", {
        timeoutMs: TIMEOUT_MS,
      });
      if (view?.state !== "done") throw new Error(`a post ended ${view?.state}`);
      if (post >= 0) addedMs.push(performance.now() - startedAt - SUM_OF_STAGES_MS);
    }
    return addedMs;
  } finally {
    await listener.close();
    await fleet.close();
  }
}

const servers = await startServers();
try {
  const all: number[] = [];
  const p50s: number[] = [];
  const p99s: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const addedMs = await measure(servers);
    const [p50, p99] = [percentile(addedMs, 0.5), percentile(addedMs, 0.99)];
    all.push(...addedMs);
    p50s.push(p50);
    p99s.push(p99);
    process.stderr.write(`round ${round}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms\n`);
  }
  const p50 = median(p50s);
  const p99 = median(p99s);
  printReport(
    {
      name: "overhead",
      rounds,
      medians: {
        added_ms_p50: p50,
        added_ms_p99: p99,
        added_ms_p99_of_all_samples: percentile(all, 0.99),
      },
      ratio: null,
      bar: `p50 ≤ ${BAR.p50} ms, p99 ≤ ${BAR.p99} ms over the sum of the stages`,
      met: p50 <= BAR.p50 && p99 <= BAR.p99,
      checks: {
        posts_per_round: posts,
        samples: all.length,
        sum_of_stages_ms: SUM_OF_STAGES_MS,
        ...servers.facts,
      },
      simulated: true,
    },
    { json },
  );
} finally {
  await servers.close();
}
