import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

// The limit to compare with: three stages of bare BullMQ, `add` to the next, no record of anything.
const { redisUrl, prefix, count, concurrency } = JSON.parse(process.argv[2] ?? "{}") as {
  redisUrl: string;
  prefix: string;
  count: number;
  concurrency: number;
};
const NAMES = ["first", "second", "third"] as const;
const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
const defaultJobOptions = { removeOnComplete: { count: 1_000 }, removeOnFail: { count: 1_000 } };
const queues = NAMES.map((name) => new Queue(name, { connection, prefix, defaultJobOptions }));

for (let from = 0; from < count; from += 1_000) {
  const jobs = Array.from({ length: Math.min(1_000, count - from) }, (_, i) => ({
    name: "post",
    data: { id: from + i },
  }));
  await queues[0]?.addBulk(jobs);
}
process.send?.({ type: "ready" });
// Nobody is left to stop us.
process.once("disconnect", () => process.exit(1));

process.once("message", () => {
  let startedAt = 0;
  let doneCount = 0;
  const workers = NAMES.map(
    (name, i) =>
      new Worker<{ id: number }>(
        name,
        async (job) => {
          if (startedAt === 0) startedAt = performance.now();
          const next = queues[i + 1];
          if (next !== undefined) await next.add("post", job.data);
          else if (++doneCount === count)
            process.send?.({ type: "done", ms: performance.now() - startedAt });
        },
        { connection, prefix, concurrency },
      ),
  );
  process.once("SIGTERM", () => {
    void Promise.all(workers.map((worker) => worker.close(true))).then(() => process.exit(0));
  });
});
