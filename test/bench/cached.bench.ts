import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startProcess } from "./support/child.ts";
import { findFreePort } from "../support/free-port.ts";
import { json, numberOption } from "./support/options.ts";
import { startProgram } from "./support/program.ts";
import { printReport } from "./support/report.ts";
import { createBenchDatabase, startServers, withClient } from "./support/servers.ts";
import { median } from "./support/stats.ts";

const POST_IDS = Array.from({ length: 100 }, (_, i) =>
  String(7_000_000_000_000_000_000n + BigInt(i)),
);
const CONNECTIONS = 10;
const POOL_SIZE = 10;
const POST_LOAD = fileURLToPath(new URL("./processes/post-load.ts", import.meta.url));

interface Load {
  /** Requests a second. */
  rate: number;
  /** Milliseconds. */
  p99: number;
  failed: number;
}

/** Posts with a minute of speech and a summary, in the rows that our stages leave. */
async function storePosts(databaseUrl: string): Promise<void> {
  const text = "the beans are ground a little finer than for a filter ".repeat(15);
  const segments = Array.from({ length: 15 }, (_, i) => {
    return { startMs: i * 4_000, endMs: i * 4_000 + 3_900, text: text.slice(0, 54) };
  });
  const summary = {
    tldr: "Grind finer.",
    takeaways: ["a", "b", "c"],
    sentiment: "neutral",
    cta: "none",
  };
  await withClient(databaseUrl, async (client) => {
    await client.query(
      `insert into post (post_id, url, title, author_unique_id, duration_ms, source, transcript_key, answer_key)
       select id, 'https://www.tiktok.com/@demo/video/' || id, 'Coffee', 'demo', 60000, 'bench', 't' || id, 'a' || id
       from unnest($1::text[]) as id`,
      [POST_IDS],
    );
    await client.query(
      `insert into media (sha256, kind, bytes, duration_ms, has_audio, has_video)
       select 'm' || id, 'video', 1, 60000, true, true from unnest($1::text[]) as id`,
      [POST_IDS],
    );
    await client.query(
      `insert into post_media (post_id, role, position, media_sha256)
       select id, 'video', 0, 'm' || id from unnest($1::text[]) as id`,
      [POST_IDS],
    );
    await client.query(
      `insert into transcript (key, media_sha256, recipe, hash, engine, origin, language, text, segments, duration_ms, verdict)
       select 't' || id, 'm' || id, 'r', 'h', 'bench', 'asr', 'en', $2, $3, 60000, 'speech'
       from unnest($1::text[]) as id`,
      [POST_IDS, text, JSON.stringify(segments)],
    );
    await client.query(
      `insert into answer (key, post_id, kind, evidence_hash, prompt_version, recipe, engine, sources, body)
       select 'a' || id, id, 'summary', 'h', '1', 'r', 'bench', '{transcript}', $2
       from unnest($1::text[]) as id`,
      [POST_IDS, JSON.stringify(summary)],
    );
    await client.query(
      "insert into engagement (post_id, plays, likes) select id, 1000, 10 from unnest($1::text[]) as id",
      [POST_IDS],
    );
    await client.query("create table stored_result (id text primary key, body jsonb not null)");
  });
}

/** What our API answers, stored whole under the post's id. Returns the length of an answer. */
async function storeResults(url: string, databaseUrl: string): Promise<number> {
  let length = 0;
  await withClient(databaseUrl, async (client) => {
    for (const id of POST_IDS) {
      const answer = await fetch(`${url}/${id}`);
      const result = await answer.text();
      if (!answer.ok) throw new Error(`the API does not serve a stored post: ${result}`);
      await client.query("insert into stored_result values ($1, $2)", [id, result]);
      length = result.length;
    }
  });
  return length;
}

async function load(url: string, seconds: number): Promise<Load> {
  const args = { url, postIds: POST_IDS, connections: CONNECTIONS, seconds };
  const { stdout } = await promisify(execFile)(process.execPath, [POST_LOAD, JSON.stringify(args)]);
  const result = JSON.parse(stdout) as Load;
  if (result.failed > 0) throw new Error(`${url} did not always answer`);
  return result;
}

const rounds = numberOption("rounds", 5);
const seconds = numberOption("seconds", 5);
const servers = await startServers();
try {
  const databaseUrl = await createBenchDatabase(servers);
  await storePosts(databaseUrl);
  const api = await startProgram("api", {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL: String(POOL_SIZE),
    REDIS_URL: servers.redisUrl,
    DASHBOARD_PASSWORD: "not-a-secret",
    PORT: String(await findFreePort()),
  });
  const ourUrl = `${api.url}/v1/posts`;
  const bytes = await storeResults(ourUrl, databaseUrl);
  const bare = await startProcess("bare-read.ts", { databaseUrl, poolSize: POOL_SIZE });
  const address = bare.message<{ url: string }>("url");
  bare.send({ type: "url" });
  const bareUrl = `${(await address).url}/posts`;
  try {
    for (const url of [ourUrl, bareUrl]) await load(url, 2);
    const ours: Load[] = [];
    const theirs: Load[] = [];
    for (let round = 0; round < rounds; round++) {
      theirs.push(await load(bareUrl, seconds));
      ours.push(await load(ourUrl, seconds));
    }
    const toRate = (loads: Load[]) => median(loads.map(({ rate }) => rate));
    const toP99 = (loads: Load[]) => median(loads.map(({ p99 }) => p99));
    const ratio = toRate(ours) / toRate(theirs);
    const slower = toP99(ours) / toP99(theirs);
    printReport(
      {
        name: "cached",
        rounds,
        medians: {
          bare_requests_per_second: toRate(theirs),
          clipmill_requests_per_second: toRate(ours),
          bare_p99_ms: toP99(theirs),
          clipmill_p99_ms: toP99(ours),
          p99_ratio: slower,
        },
        ratio,
        bar: "requests a second ≥ 0.85 of bare fastify + pg; p99 ≤ 1.3 ×",
        met: ratio >= 0.85 && slower <= 1.3,
        checks: { connections: CONNECTIONS, posts: POST_IDS.length, bytes, ...servers.facts },
        simulated: false,
      },
      { json },
    );
  } finally {
    await bare.stop();
    await api.stop();
  }
} finally {
  await servers.close();
}
