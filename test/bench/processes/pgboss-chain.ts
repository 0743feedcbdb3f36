import { NAMES, startBoss } from "../support/pgboss.ts";

// The same chain on pg-boss by its worker: three queues, each job sends the next.
const { databaseUrl, count } = JSON.parse(process.argv[2] ?? "{}") as {
  databaseUrl: string;
  count: number;
};
/** It polls twice a second at best; batches and workers enough that polling is not what limits it. */
const WORKERS = 4;
const BATCH = 250;
const boss = await startBoss(databaseUrl, count);
process.send?.({ type: "ready" });

process.once("message", () => {
  let startedAt = 0;
  let doneCount = 0;
  const options = { batchSize: BATCH, localConcurrency: WORKERS, pollingIntervalSeconds: 0.5 };
  NAMES.forEach((name, i) => {
    const next = NAMES[i + 1];
    void boss.work<{ id: number }>(name, options, async (jobs) => {
      if (startedAt === 0) startedAt = performance.now();
      if (next !== undefined) await Promise.all(jobs.map(({ data }) => boss.send(next, data)));
      else doneCount += jobs.length;
      if (doneCount === count) process.send?.({ type: "done", ms: performance.now() - startedAt });
    });
  });
});
