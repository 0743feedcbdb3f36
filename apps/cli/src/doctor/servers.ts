import type { Config } from "@clipmill/config";
import {
  createDatabase,
  createWaitingReader,
  createWorkerRegistry,
  examineDatabase,
  type WaitingGroup,
} from "@clipmill/db";
import { QUEUE_NAMES, type QueueName } from "@clipmill/domain";
import { findPostgresBinaries } from "@clipmill/postgres";
import { checkRedis } from "@clipmill/queue";
import { toPrintable } from "../printable.ts";
import { findRunState } from "../up/run-state.ts";
import { type Finding, missing, note, ok } from "./finding.ts";

/** Postgres, with its schema, and the workers that report to it where something runs. */
export async function examineRecord(config: Config): Promise<Finding[]> {
  const name = "Postgres";
  const { DATABASE_URL } = config;
  const running = findRunState(config.CLIPMILL_HOME)?.databaseUrl;
  const url = DATABASE_URL ?? running;
  if (url === undefined) return [examineEmbedded()];
  const origin = DATABASE_URL === undefined ? "embedded, running" : "DATABASE_URL";
  const { version, problem } = await examineDatabase(url);
  if (problem === null) {
    return [ok(name, `${origin}, ${version}, its tables up to date`), ...(await examineWork(url))];
  }
  const found = `${origin}: ${problem.problem}`;
  return [
    problem.isBehind === true
      ? note(name, found, `${problem.remedy}; \`clipmill up\` does so by itself`)
      : missing(name, found, problem.remedy),
  ];
}

function examineEmbedded(): Finding {
  const binaries = findPostgresBinaries();
  return binaries === null
    ? missing("Postgres", "none for this platform", "set DATABASE_URL to a Postgres ≥ 14")
    : ok("Postgres", `embedded ${binaries.version}, started when it is needed`);
}

async function examineWork(url: string): Promise<Finding[]> {
  const database = createDatabase({ url, poolSize: 1, name: "clipmill-doctor", onError() {} });
  try {
    return [
      toWorkers(await createWorkerRegistry(database).countSlots()),
      ...toWaits(await createWaitingReader(database).findGroups()),
    ];
  } finally {
    await database.close();
  }
}

/** Jobs wait on a queue that nobody drains. */
function toWorkers(slots: Partial<Record<QueueName, number>>): Finding {
  const name = "workers";
  const drained = QUEUE_NAMES.filter((queue) => (slots[queue] ?? 0) > 0);
  const undrained = QUEUE_NAMES.filter((queue) => !drained.includes(queue));
  const found = drained.map((queue) => `${queue} ${slots[queue]}`).join(", ");
  if (undrained.length === 0) return ok(name, `jobs at once: ${found}`);
  if (drained.length === 0) {
    return note(name, "none is alive", "start one: `clipmill up`, or apps/worker on its own");
  }
  return missing(
    name,
    `${found}; nobody drains ${undrained.join(", ")}`,
    `start a worker with CLIPMILL_QUEUES=${undrained.join(",")}`,
  );
}

/** What work waits for. A queue without jobs keeps nobody waiting. */
function toWaits(groups: readonly WaitingGroup[]): Finding[] {
  return groups
    .filter(({ count }) => count > 0)
    .map(({ queue, message, advice, needsPerson, count, since }) => {
      const jobs = `${count} ${count === 1 ? "work item waits" : "work items wait"}`;
      const found = `${jobs}${since === null ? "" : ` since ${since.slice(0, 19)}Z`}: ${message}`;
      return (needsPerson ? missing : note)(`queue ${queue}`, toPrintable(found), advice);
    });
}

export async function examineQueue({
  REDIS_URL: url,
  QUEUE_PREFIX: prefix,
}: Config): Promise<Finding> {
  const name = "Redis";
  if (url === undefined) return ok(name, "not set: the queue runs on Postgres");
  const { server, problem, warning } = await checkRedis({ url, prefix });
  if (problem !== null) return missing(name, `REDIS_URL: ${problem.problem}`, problem.remedy);
  const found = `REDIS_URL, ${server ?? "unknown"}`;
  return warning === null
    ? ok(name, `${found}, a primary that evicts nothing`)
    : note(name, found, warning);
}
