import { NAMES, startBoss } from "../support/pgboss.ts";

// pg-boss without its worker: whole batches are fetched, inserted and completed by hand, and no job is seen singly.
const { databaseUrl, count, concurrency } = JSON.parse(process.argv[2] ?? "{}") as {
  databaseUrl: string;
  count: number;
  concurrency: number;
};
const boss = await startBoss(databaseUrl, count);
process.send?.({ type: "ready" });

process.once("message", () => {
  let startedAt = 0;
  let doneCount = 0;
  // `work` polls twice a second at best, so the chain fetches by itself, without a pause while there is work.
  const drain = async (i: number): Promise<void> => {
    const name = NAMES[i] ?? "first";
    const next = NAMES[i + 1];
    while (doneCount < count) {
      const jobs = await boss.fetch<{ id: number }>(name, { batchSize: concurrency });
      if (jobs.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      if (startedAt === 0) startedAt = performance.now();
      if (next !== undefined)
        await boss.insert(
          next,
          jobs.map(({ data }) => ({ data })),
        );
      await boss.complete(
        name,
        jobs.map(({ id }) => id),
      );
      if (next === undefined) doneCount += jobs.length;
    }
  };
  void Promise.all(NAMES.map((_, i) => drain(i))).then(() =>
    process.send?.({ type: "done", ms: performance.now() - startedAt }),
  );
});
