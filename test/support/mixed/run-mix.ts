import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "@clipmill/db";
import type { Submission } from "@clipmill/domain";
import { createSandbox } from "@clipmill/sandbox";
import { type Loopback, startLoopback } from "../fakes/loopback.ts";
import { findDeviations, findLeaks, readEnds, toFaultShare } from "./audit.ts";
import { makeCaseMedia } from "./case-media.ts";
import { createFetchWorker } from "./fetch-worker.ts";
import { plantMix, type PlantedCase } from "./planted-mix.ts";

export interface MixOptions {
  /** An empty, migrated database. */
  databaseUrl: string;
  /** Null: the queue is on Postgres. */
  redisUrl: string | null;
  /** An empty directory. */
  directory: string;
  posts: number;
  /** Of the faults. Default 1. */
  seed?: number;
}

export interface MixReport {
  /** Posts by case and end, such as `clip → done`. */
  ends: Record<string, number>;
  /** Posts that ended otherwise than planted. */
  deviations: string[];
  /** What is on the disk and should not be, or the other way round. */
  leaks: string[];
  /** Connections to the address that links and redirects lead to. That it counts is tried at the end. */
  forbiddenConnections: number;
  /** Broken files that had been stored before they were found to be broken. */
  orphans: number;
  /** Until all but those posts had ended that wait for a person. */
  seconds: number;
  /** Of the calls about good posts. */
  faultShare: number;
}

/** Fetches a mix of posts and compares each end with what was planted. Needs ffmpeg. */
export async function runMix(options: MixOptions): Promise<MixReport> {
  const { directory, posts: count, seed = 1 } = options;
  await using closing = new AsyncDisposableStack();
  const forbidden = await startLoopback((_request, response) => response.end("secret"));
  closing.defer(() => forbidden.close());
  const planted = plantMix(count, makeCaseMedia(directory), forbidden.origin);
  const faulted: string[] = [];
  const sandbox = await createSandbox({
    posts: planted.map(({ post }) => post),
    seed,
    log: { info: ({ postId }) => faulted.push(String(postId)) },
  });
  closing.defer(() => sandbox.close());
  const captioned = new Set(planted.filter(({ of }) => of.hasCaptions).map(({ post }) => post.id));
  let isOver = false;
  const worker = await createFetchWorker({
    ...options,
    sandboxUrl: sandbox.url,
    findCaptions: (id) => (captioned.has(id) ? sandbox.toLink(`${id}.vtt`) : null),
    onError: (error) => {
      if (!isOver) process.stderr.write(`${error.message}\n`);
    },
  });
  closing.defer(() => worker.close());
  // A busy server says goodbye to connections that have ended on this side; nobody needs to hear of it.
  closing.defer(async () => {
    isOver = true;
  });

  await worker.work.accept(planted.map(toSubmission));
  const startedAt = performance.now();
  worker.start();
  const waiting = planted.filter(({ of }) => of.waits).length;
  await waitUntilOpen(worker.database, waiting);
  const seconds = (performance.now() - startedAt) / 1_000;
  await waitUntilOpen(worker.database, 0, () => mendProviders(worker.database));

  const ends = await readEnds(worker.database);
  const orphans = planted.filter(({ of }) => of.leavesOrphan).length;
  return {
    ends: countEnds(planted, ends),
    deviations: findDeviations(planted, ends),
    leaks: await findLeaks(worker, { directory: directory, orphans }),
    forbiddenConnections: await countConnections(forbidden),
    orphans,
    seconds,
    faultShare: toFaultShare(planted, sandbox.calls(), faulted),
  };
}

/** A listener that counts nothing would prove nothing. */
async function countConnections({ origin, connections }: Loopback): Promise<number> {
  const count = connections();
  await (await fetch(origin)).text();
  if (connections() !== count + 1) throw new Error("the forbidden listener does not count");
  return count;
}

function toSubmission({ of, post, link }: PlantedCase): Submission {
  return {
    tenant: "local",
    link,
    postId: of.byShortLink === true ? null : post.id,
    outputs: ["transcript"],
    recipes: { source: ["tiklive@sandbox"], asr: ["none"], ocr: [], llm: [] },
    lane: "standard",
    deadline: null,
    idempotencyKey: null,
    language: null,
  };
}

const POLL_MS = 100;
const STALLED_AFTER_MS = 60_000;

/** Throws where nothing ends for a minute. */
async function waitUntilOpen(
  { pool }: Database,
  atMost: number,
  help: () => Promise<unknown> = async () => {},
): Promise<void> {
  let last = { open: Number.POSITIVE_INFINITY, atMs: Date.now() };
  while (last.open > atMost) {
    await help();
    await delay(POLL_MS);
    const { rows } = await pool.query<{ open: number }>(
      "select count(*)::int as open from request where state = 'open'",
    );
    const open = rows[0]?.open ?? Number.NaN;
    if (open < last.open) last = { open, atMs: Date.now() };
    else if (Date.now() - last.atMs > STALLED_AFTER_MS)
      throw new Error(`${open} requests are open and do not end`);
  }
}

/** As if a person had put key and balance in order: what waits for them is due now. */
async function mendProviders({ pool }: Database): Promise<void> {
  await pool.query(`update stage_job set run_at = now()
    where state = 'ready' and error_code in ('provider_key', 'provider_balance')`);
}

function countEnds(
  planted: readonly PlantedCase[],
  ends: Awaited<ReturnType<typeof readEnds>>,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { of, link } of planted) {
    const name = `${of.name} → ${ends.get(link)?.end ?? "nothing"}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
