import { createDatabase, createUpstreamStore } from "@clipmill/db";
import { ClipmillError, RetryableError, type UpstreamPolicy } from "@clipmill/domain";
import { createUpstreams } from "@clipmill/queue";
import { silentLog } from "../../support/work/toy-pipeline.ts";

/** One worker process in front of the simulated upstream: its jobs come in bursts, and go back to wait when told to. */
export interface UpstreamCallerArgs {
  databaseUrl: string;
  upstreamUrl: string;
  policy: UpstreamPolicy;
  slots: number;
  /** How many jobs arrive at once, and how often. */
  burst: { size: number; everyMs: number };
}

const args = JSON.parse(process.argv[2] ?? "{}") as UpstreamCallerArgs;
const onError = (error: Error) => process.stderr.write(`${error.message}\n`);
const database = createDatabase({ url: args.databaseUrl, poolSize: 2, name: "bench", onError });
const upstreams = createUpstreams({
  policies: { api: args.policy },
  store: createUpstreamStore(database),
  workerId: `bench-${process.pid}`,
  log: {
    ...silentLog,
    error: (fields, message) => onError(new Error(`${message} ${String(fields["err"])}`)),
  },
});
const stop = new AbortController();
let ready = 0;
let wake: (() => void)[] = [];

function arrive(count: number): void {
  ready += count;
  for (const start of wake.splice(0)) start();
}

async function runSlot(): Promise<void> {
  while (!stop.signal.aborted) {
    if (ready === 0) {
      await new Promise<void>((resolve) => wake.push(resolve));
      continue;
    }
    ready--;
    try {
      await upstreams.call("api", call, { signal: stop.signal });
    } catch (error) {
      if (stop.signal.aborted) return;
      if (!(error instanceof ClipmillError)) throw error;
      // What Postgres does with a job that is sent back.
      setTimeout(() => arrive(1), error.retryAfterMs ?? 1_000);
    }
  }
}

async function call(): Promise<void> {
  const response = await fetch(args.upstreamUrl);
  await response.text();
  if (response.ok) return;
  const retryAfterMs = Number(response.headers.get("retry-after")) * 1_000;
  throw new RetryableError("throttled", "429", { retryAfterMs });
}

async function work(): Promise<void> {
  const { size, everyMs } = args.burst;
  arrive(size);
  const timer = setInterval(() => arrive(size), everyMs);
  await Promise.all(Array.from({ length: args.slots }, runSlot));
  clearInterval(timer);
  await upstreams.close();
  await database.close();
  process.exit(0);
}

process.once("message", () => void work());
process.once("SIGTERM", () => {
  stop.abort();
  arrive(0);
});
process.send?.({ type: "ready" });
