import { PgBoss } from "pg-boss";

// The same chain on pg-boss by its worker: three queues, each job sends the next.
const { databaseUrl, count } = JSON.parse(process.argv[2] ?? "{}") as {
  databaseUrl: string;
  count: number;
};
const NAMES = ["first", "second", "third"] as const;
/** It polls twice a second at best; batches and workers enough that polling is not what limits it. */
const WORKERS = 4;
const BATCH = 250;
const boss = new PgBoss({
  connectionString: databaseUrl,
  schedule: false,
  supervise: false,
  max: 30,
});
boss.on("error", (error) => process.stderr.write(`${error.message}\n`));
await boss.start();
for (const name of NAMES) await boss.createQueue(name);
for (let from = 0; from < count; from += 1_000) {
  await boss.insert(
    NAMES[0],
    Array.from({ length: Math.min(1_000, count - from) }, (_, i) => ({ data: { id: from + i } })),
  );
}
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
process.once("SIGTERM", () => void boss.stop({ graceful: false }).then(() => process.exit(0)));
