import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startProcess } from "./support/child.ts";
import { findFreePort } from "./support/free-port.ts";
import { json, numberOption } from "./support/options.ts";
import { startProgram } from "./support/program.ts";
import { printReport } from "./support/report.ts";
import { createBenchDatabase, startServers, withClient } from "./support/servers.ts";
import { median } from "./support/stats.ts";

const POST_ID = "7000000000000000001";
const CONNECTIONS = 10;
const POOL_SIZE = 10;
const AUTOCANNON = fileURLToPath(
  new URL("../../node_modules/autocannon/autocannon.js", import.meta.url),
);

interface Load {
  requests: { average: number };
  latency: { p99: number };
  non2xx: number;
  errors: number;
}

/** A post with a minute of speech and a summary, in the rows that our stages leave. */
async function storePost(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, async (client) => {
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
    await client.query(
      `insert into post (post_id, url, title, author_unique_id, duration_ms, source, transcript_key, answer_key)
       values ($1, 'https://www.tiktok.com/@demo/video/' || $1, 'Coffee', 'demo', 60000, 'bench', 't', 'a')`,
      [POST_ID],
    );
    await client.query(
      `insert into transcript (key, media_sha256, recipe, hash, engine, origin, language, text, segments, duration_ms, verdict)
       values ('t', 'm', 'r', 'h', 'bench', 'asr', 'en', $1, $2, 60000, 'speech')`,
      [text, JSON.stringify(segments)],
    );
    await client.query(
      `insert into answer (key, post_id, kind, evidence_hash, prompt_version, recipe, engine, sources, body)
       values ('a', $1, 'summary', 'h', '1', 'r', 'bench', '{transcript}', $2)`,
      [POST_ID, JSON.stringify(summary)],
    );
    await client.query("insert into engagement (post_id, plays, likes) values ($1, 1000, 10)", [
      POST_ID,
    ]);
    await client.query("create table stored_result (id text primary key, body jsonb not null)");
  });
}

/** In a process of its own, so that the load does not run on the event loop of whoever is measured. */
async function load(url: string, seconds: number): Promise<Load> {
  const args = [AUTOCANNON, "-j", "-c", String(CONNECTIONS), "-d", String(seconds), url];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const result = JSON.parse(stdout) as Load;
  if (result.non2xx + result.errors > 0) throw new Error(`${url} did not always answer`);
  return result;
}

const rounds = numberOption("rounds", 5);
const seconds = numberOption("seconds", 5);
const servers = await startServers();
try {
  const databaseUrl = await createBenchDatabase(servers);
  await storePost(databaseUrl);
  const api = await startProgram("api", {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL: String(POOL_SIZE),
    REDIS_URL: servers.redisUrl,
    DASHBOARD_PASSWORD: "not-a-secret",
    PORT: String(await findFreePort()),
  });
  const ourUrl = `${api.url}/v1/posts/${POST_ID}`;
  const answer = await fetch(ourUrl);
  const result = await answer.text();
  if (!answer.ok) throw new Error(`the API does not serve the stored post: ${result}`);
  await withClient(databaseUrl, (client) =>
    client.query("insert into stored_result values ($1, $2)", [POST_ID, result]),
  );
  const bare = await startProcess("bare-read.ts", { databaseUrl, poolSize: POOL_SIZE });
  const address = bare.message<{ url: string }>("url");
  bare.send({ type: "url" });
  const bareUrl = `${(await address).url}/posts/${POST_ID}`;
  try {
    for (const url of [ourUrl, bareUrl]) await load(url, 2);
    const ours: Load[] = [];
    const theirs: Load[] = [];
    for (let round = 0; round < rounds; round++) {
      theirs.push(await load(bareUrl, seconds));
      ours.push(await load(ourUrl, seconds));
    }
    const toRate = (loads: Load[]) => median(loads.map(({ requests }) => requests.average));
    const toP99 = (loads: Load[]) => median(loads.map(({ latency }) => latency.p99));
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
        checks: { connections: CONNECTIONS, bytes: result.length, ...servers.facts },
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
