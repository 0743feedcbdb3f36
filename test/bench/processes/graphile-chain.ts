import { Logger, makeWorkerUtils, run, type Runner } from "graphile-worker";

// The same chain on graphile-worker: three tasks, each adds the next, no record but its own tables.
const { databaseUrl, count, concurrency } = JSON.parse(process.argv[2] ?? "{}") as {
  databaseUrl: string;
  count: number;
  concurrency: number;
};
const NAMES = ["first", "second", "third"] as const;
/** Its own advice is one connection a job; beyond some dozens Postgres only gets slower. */
const POOL_SIZE = 30;
const utils = await makeWorkerUtils({ connectionString: databaseUrl });
await utils.migrate();
for (let from = 0; from < count; from += 1_000) {
  await utils.addJobs(
    Array.from({ length: Math.min(1_000, count - from) }, (_, i) => ({
      identifier: NAMES[0],
      payload: { id: from + i },
    })),
  );
}
await utils.release();
process.send?.({ type: "ready" });

process.once("message", () => {
  let startedAt = 0;
  let doneCount = 0;
  const toTask =
    (i: number) =>
    async (payload: unknown, { addJob }: Helpers) => {
      if (startedAt === 0) startedAt = performance.now();
      const next = NAMES[i + 1];
      if (next !== undefined) await addJob(next, payload as object);
      else if (++doneCount === count)
        process.send?.({ type: "done", ms: performance.now() - startedAt });
    };
  const runner: Promise<Runner> = run({
    connectionString: databaseUrl,
    concurrency,
    maxPoolSize: POOL_SIZE,
    // A line per job on the terminal would be part of the figure.
    logger: new Logger(() => () => {}),
    noHandleSignals: true,
    taskList: Object.fromEntries(NAMES.map((name, i) => [name, toTask(i)])),
    preset: { worker: { completeJobBatchDelay: 0 } },
  });
  process.once("SIGTERM", () => void runner.then((it) => it.stop()).then(() => process.exit(0)));
});

interface Helpers {
  addJob(name: string, payload: object): Promise<unknown>;
}
