import {
  checkSchema,
  type Database,
  type DatabaseProblem,
  toDatabaseProblem,
  toDatabaseRefusal,
} from "@clipmill/db";
import { type QueueBackend, toRedisProblem, toRedisRefusal } from "@clipmill/queue";
import type { Health } from "../deps.ts";

/** Asks Postgres for its schema, and the queue's server whether it would take a hint. */
export async function examineHealth(
  database: Database["pool"],
  backend: Pick<QueueBackend, "kind" | "checkWritable">,
): Promise<Health> {
  const [unfit, queueProblem] = await Promise.all([
    checkSchema(database).catch(toUnknown),
    findQueueProblem(backend),
  ]);
  const problems = [unfit === null ? null : toDatabaseRefusal(unfit), queueProblem];
  return {
    database: unfit === null,
    queue: queueProblem === null,
    problems: problems.filter((problem) => problem !== null),
  };
}

function toUnknown(error: unknown): DatabaseProblem {
  const known = toDatabaseProblem(error);
  if (known !== null) return known;
  return { problem: "a query failed", remedy: "the API's log has the reason", mayPass: true };
}

async function findQueueProblem({
  kind,
  checkWritable,
}: Pick<QueueBackend, "kind" | "checkWritable">): Promise<string | null> {
  try {
    await checkWritable();
    return null;
  } catch (error) {
    return kind === "redis"
      ? toRedisRefusal(toRedisProblem(error))
      : "the queue's tables in Postgres cannot be read: run `clipmill migrate`";
  }
}
