import { Readable } from "node:stream";
import { findFreePort } from "../support/servers/free-port.ts";
import { type FullWindow, fillWindow } from "./support/full-window.ts";
import { json, numberOption } from "./support/options.ts";
import { startProgram } from "./support/program.ts";
import { printReport } from "./support/report.ts";
import {
  type BenchServers,
  createBenchDatabase,
  dropBenchDatabase,
  flushRedis,
  readRedisBytes,
  startServers,
  withClient,
} from "./support/servers.ts";
import { median } from "./support/stats.ts";

/** Links a second, the speed of the last tenth against the first, and the memory that it took. */
interface Round {
  rate: number;
  flatness: number;
  apiBytes: number;
  redisBytes: number;
  /** Once the window of a dispatcher is full; null where none was started. */
  dispatched: FullWindow | null;
}

/** Every twentieth line repeats an earlier post. */
const REPEATED_EVERY = 20;
const PIECE_LINES = 1_000;
/** The bars of issue "Nothing is lost, and durability is fast". */
const BAR = { rate: 15_000, flatness: 0.9, apiBytes: 300e6, redisBytes: 50e6 };

/** Ids in no order, as lists from elsewhere have them: a step that is coprime with the span visits each once. */
function toPostId(n: number): string {
  return `7${String((n * 7_368_787) % 100_000_007).padStart(18, "0")}`;
}

function* toNdjson(count: number): Generator<string> {
  for (let from = 0; from < count; from += PIECE_LINES) {
    let piece = "";
    for (let n = from; n < Math.min(count, from + PIECE_LINES); n++) {
      const isRepeat = n % REPEATED_EVERY === REPEATED_EVERY - 1;
      const id = toPostId(isRepeat ? Math.floor(n / 2 / REPEATED_EVERY) * REPEATED_EVERY : n);
      piece += `{"url":"https://www.tiktok.com/@creator_${n % 1_000}/video/${id}"}\n`;
    }
    yield piece;
  }
}

async function accept(
  servers: BenchServers,
  count: number,
  { dispatches }: { dispatches: boolean },
): Promise<Round> {
  await flushRedis(servers.redisUrl);
  const databaseUrl = await createBenchDatabase(servers);
  const api = await startProgram("api", {
    DATABASE_URL: databaseUrl,
    REDIS_URL: servers.redisUrl,
    DASHBOARD_PASSWORD: "not-a-secret",
    PORT: String(await findFreePort()),
  });
  try {
    const startedAt = performance.now();
    const response = await fetch(`${api.url}/v1/backfills`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: Readable.toWeb(Readable.from(toNdjson(count))) as ReadableStream,
      duplex: "half",
    });
    const { counts } = (await response.json()) as { counts: Record<string, number> };
    const ms = performance.now() - startedAt;
    await check(databaseUrl, count, counts);
    const round = {
      rate: (count / ms) * 1_000,
      flatness: await readFlatness(databaseUrl),
      apiBytes: api.peakBytes(),
      redisBytes: await readRedisBytes(servers.redisUrl),
    };
    // Not beside the API: the rate is that of accepting, and Redis holds most with the whole list waiting.
    return { ...round, dispatched: dispatches ? await fillWindow(servers, databaseUrl) : null };
  } finally {
    await api.stop();
    await dropBenchDatabase(servers, databaseUrl);
  }
}

/** What was counted is what is there, and each post of the list is there once. */
async function check(
  databaseUrl: string,
  count: number,
  counts: Record<string, number>,
): Promise<void> {
  const repeated = Math.floor(count / REPEATED_EVERY);
  const expected = { lines: count, accepted: count - repeated, duplicates: repeated, invalid: 0 };
  const { rows } = await withClient(databaseUrl, (client) =>
    client.query(`select (select count(*)::int from request) as requests,
      (select count(*)::int from stage_job where state = 'ready') as jobs,
      (select count(*)::int from request_stage_job) as links`),
  );
  const found = JSON.stringify({ counts, ...(rows[0] as object) });
  const { accepted } = expected;
  const wanted = { counts: expected, requests: accepted, jobs: accepted, links: accepted };
  if (found !== JSON.stringify(wanted)) throw new Error(`not all is there: ${found}`);
}

/** From the requests' own times: how fast the last tenth was stored against the first tenth. */
async function readFlatness(databaseUrl: string): Promise<number> {
  const { rows } = await withClient(databaseUrl, (client) =>
    client.query<{ flatness: number }>(`with numbered as (
        select created_at, row_number() over (order by id)::float8 / count(*) over () as place from request),
      edges as (
        select min(created_at) as first, max(created_at) filter (where place <= 0.1) as early,
          min(created_at) filter (where place > 0.9) as late from numbered)
      select (extract(epoch from early - first) / extract(epoch from b.updated_at - late))::float8 as flatness
      from edges, backfill b`),
  );
  return rows[0]?.flatness ?? Number.NaN;
}

async function acceptOften(
  servers: BenchServers,
  rounds: number,
  count: number,
  options: { dispatches: boolean },
): Promise<Round[]> {
  const done: Round[] = [];
  while (done.length < rounds) {
    const round = await accept(servers, count, options);
    done.push(round);
    process.stderr.write(
      `${count}: ${round.rate.toFixed()}/s, last tenth ${round.flatness.toFixed(2)}${toDispatched(round)}\n`,
    );
  }
  return done;
}

function toDispatched({ dispatched }: Round): string {
  if (dispatched === null) return "";
  return `, ${(dispatched.redisBytes / 1e6).toFixed(1)} MB of Redis with ${dispatched.hints} hints`;
}

const toRate = ({ rate }: Round) => rate;

const shortRounds = numberOption("rounds", 5);
const shortCount = numberOption("short", 100_000);
const longRounds = numberOption("long-rounds", 3);
const longCount = numberOption("links", 1_000_000);
const servers = await startServers();
try {
  const shorts = await acceptOften(servers, shortRounds, shortCount, { dispatches: false });
  const short = median(shorts.map(toRate));
  const longs = await acceptOften(servers, longRounds, longCount, { dispatches: true });
  const long = {
    rate: median(longs.map(toRate)),
    // Two spans of a few seconds, a minute apart: on a machine whose speed drifts, one round says little.
    flatness: median(longs.map(({ flatness }) => flatness)),
    apiBytes: Math.max(...longs.map(({ apiBytes }) => apiBytes)),
    redisBytes: Math.max(...longs.map(({ redisBytes }) => redisBytes)),
    dispatchedBytes: Math.max(...longs.map((each) => each.dispatched?.redisBytes ?? Number.NaN)),
  };
  const met =
    Math.min(short, long.rate) >= BAR.rate &&
    long.flatness >= BAR.flatness &&
    long.apiBytes < BAR.apiBytes &&
    Math.max(long.redisBytes, long.dispatchedBytes) < BAR.redisBytes;
  printReport(
    {
      name: "accept",
      rounds: shortRounds,
      medians: {
        [`links_per_second_of_${shortCount}`]: short,
        [`links_per_second_of_${longCount}`]: long.rate,
        last_tenth_to_first: long.flatness,
        api_peak_mb: long.apiBytes / 1e6,
        redis_mb: long.redisBytes / 1e6,
        redis_mb_with_dispatcher: long.dispatchedBytes / 1e6,
      },
      ratio: Math.min(short, long.rate) / BAR.rate,
      bar: "≥ 15,000 a second; last tenth ≥ 0.9 of the first; API < 300 MB; Redis < 50 MB",
      met,
      checks: {
        repeated_lines: `1 in ${REPEATED_EVERY}`,
        counts: "as planted, each post once",
        hints_with_dispatcher: Math.max(...longs.map((each) => each.dispatched?.hints ?? 0)),
        long_rounds: longs
          .map(({ rate, flatness }) => `${rate.toFixed()}/s ${flatness.toFixed(2)}`)
          .join(", "),
        ...servers.facts,
      },
      simulated: false,
    },
    { json },
  );
} finally {
  await servers.close();
}
