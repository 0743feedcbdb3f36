import pg from "pg";
import { checkSchema } from "./check-schema.ts";
import { type DatabaseProblem, toDatabaseProblem } from "./database-problem.ts";

/** What a look at a database found. */
export interface DatabaseCheck {
  /** Of the server, such as `18.1`; null where it does not answer. */
  version: string | null;
  /** Why this program cannot work on it; null: it can. */
  problem: DatabaseProblem | null;
}

const ANSWER_WITHIN_MS = 5_000;

/** Connects once and asks what a program needs to know before it starts. Throws nothing; takes 10 s at most. */
export async function examineDatabase(url: string): Promise<DatabaseCheck> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "clipmill-check",
    connectionTimeoutMillis: ANSWER_WITHIN_MS,
    query_timeout: ANSWER_WITHIN_MS,
  });
  // A server that goes away in between is told by the failing query.
  client.on("error", () => {});
  let version: string | null = null;
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>("show server_version");
    version = rows[0]?.server_version ?? "unknown";
    return { version, problem: await checkSchema(client) };
  } catch (error) {
    return { version, problem: toDatabaseProblem(error) ?? toRefused(error) };
  } finally {
    await client.end().catch(() => {});
  }
}

/** Nobody foresaw it: the SQLSTATE at least finds it in Postgres' manual. */
function toRefused(error: unknown): DatabaseProblem {
  const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
  return {
    problem: `the server refuses a query${code}`,
    remedy: "its log has the reason",
    mayPass: true,
  };
}
