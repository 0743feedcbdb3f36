import { createDatabase, createListener, createWorkStore } from "@clipmill/db";
import type { QueueName } from "@clipmill/domain";
import {
  createDispatcher,
  createHints,
  createQueueBackend,
  createQueueWorker,
  createReconciler,
  createRunner,
  createSlots,
  type Loop,
} from "@clipmill/queue";
import { createToyStages, toyPipelines, silentLog } from "../../support/work/toy-pipeline.ts";

/** The real worker program's parts around stages that do nothing. */
export interface ToyWorkerArgs {
  databaseUrl: string;
  redisUrl: string | null;
  prefix: string;
  roles: ("dispatch" | "reconcile" | "work")[];
  concurrency: number;
  window: number;
  /** The last stage makes a call that costs something. Default: none does. */
  paid?: boolean;
}

const PAID = { engine: "toy", estimateUsd: 0.002 };

const args = JSON.parse(process.argv[2] ?? "{}") as ToyWorkerArgs;
const onError = (error: Error) => process.stderr.write(`${error.message}\n`);
const log = {
  ...silentLog,
  error: (fields: Record<string, unknown>, message: string) =>
    process.stderr.write(`${message} ${String(fields["err"])}\n`),
};
const database = createDatabase({ url: args.databaseUrl, poolSize: 8, name: "bench", onError });
const listener = createListener({ url: args.databaseUrl, onError });
const backend = createQueueBackend({
  redisUrl: args.redisUrl ?? undefined,
  databaseUrl: args.databaseUrl,
  prefix: args.prefix,
  onError,
});
const hints = createHints(backend);
const window = { io: args.window, gpu: args.window, cpu: args.window, llm: args.window };
const work = createWorkStore(database, {
  pipelines: toyPipelines,
  leaseMs: 30_000,
  queuedForMs: 60_000,
  window,
});
const loops: Loop[] = [];

function start(): void {
  if (args.roles.includes("work")) {
    const slots = new Map(
      (["io", "gpu", "llm"] as const).map((queue) => [queue, createSlots(args.concurrency)]),
    );
    const runner = createRunner({
      hints,
      route: { slots, next: toyPipelines.next },
      stages: createToyStages(async (name, postId, { pay }) => {
        if (args.paid === true && name === "third") await pay(PAID, async () => ({ usd: 0.001 }));
        return { output: { postId } };
      }),
      work,
      ledger: work,
      workerId: `bench-${process.pid}`,
      leaseMs: 30_000,
      log,
    });
    const workers = [...slots].map(([queue, ofQueue]) =>
      createQueueWorker({ backend, queue, slots: ofQueue, runner, log }),
    );
    loops.push({
      async close() {
        await Promise.all([...workers.map((worker) => worker.close()), runner.drain()]);
        await runner.close();
      },
    });
  }
  if (args.roles.includes("dispatch")) {
    const nextReady = (queue: QueueName, ms: number) => listener.next("clipmill_ready", queue, ms);
    loops.push(createDispatcher({ work, hints, nextReady, window, log }));
  }
  if (args.roles.includes("reconcile")) loops.push(createReconciler({ work, hints, log }));
}

process.once("message", start);
// Nobody is left to stop us.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => {
  void (async () => {
    await Promise.all(loops.map((loop) => loop.close()));
    await hints.close();
    await backend.close();
    await listener.close();
    await database.close();
    process.exit(0);
  })();
});
process.send?.({ type: "ready" });
