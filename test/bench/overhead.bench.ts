import { createListener, createRequestReader } from "@clipmill/db";
import { newPostId, toSubmission } from "../support/toy-pipeline.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { startServers } from "./support/servers.ts";
import { percentile } from "./support/stats.ts";
import { createFleet, SUM_OF_STAGES_MS } from "./support/timed-workers.ts";

const WARM_UP_POSTS = 5;
const TIMEOUT_MS = 30_000;

const posts = numberOption("posts", 200);
const servers = await startServers();
try {
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
  } finally {
    await listener.close();
    await fleet.close();
  }
  const p50 = percentile(addedMs, 0.5);
  const p99 = percentile(addedMs, 0.99);
  printReport(
    {
      name: "overhead",
      rounds: posts,
      medians: { added_ms_p50: p50, added_ms_p99: p99 },
      ratio: null,
      bar: "p50 ≤ 40 ms, p99 ≤ 150 ms over the sum of the stages",
      met: p50 <= 40 && p99 <= 150,
      checks: { sum_of_stages_ms: SUM_OF_STAGES_MS, ...servers.facts },
      simulated: true,
    },
    { json },
  );
} finally {
  await servers.close();
}
