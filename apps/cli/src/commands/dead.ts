import type { DeadFilter, DeadLetter } from "@clipmill/db";
import { isErrorCode, type WorkItem } from "@clipmill/domain";
import { type Command, InvalidArgumentError } from "commander";
import { EnvironmentError, UsageError } from "../failure.ts";
import { loadCliConfig } from "../load-cli-config.ts";
import { toPrintable } from "../printable.ts";

interface FilterOptions {
  code?: string;
  stage?: string;
  tenant?: string;
  olderThan?: number;
  newerThan?: number;
  limit: number;
}
interface ListOptions extends FilterOptions {
  json?: boolean;
}
interface BulkOptions extends FilterOptions {
  all?: boolean;
}

const LISTED_MAX = 1_000;
const TAKEN_MAX = 100_000;

/** `clipmill dead`: what failed for good, to look at, to try again, or to let go. */
export function addDeadCommand(program: Command): void {
  const dead = program
    .command("dead")
    .description("Work items that failed for good: look at them, try them again, or let them go.");
  addFilters(dead.command("list"), 50, LISTED_MAX)
    .description("Dead work items, newest first.")
    .option("--json", "print one JSON object a line, as GET /v1/dead has them")
    .action(list);
  dead
    .command("show")
    .description(
      "One dead work item as JSON, with its input and the jobs that failed because of it.",
    )
    .argument("<id>", "its number in the list", parseCount)
    .action(show);
  addFilters(dead.command("retry"), TAKEN_MAX, TAKEN_MAX)
    .description(
      "Try again from the stage that failed; the jobs that ended because of it are open again.",
    )
    .argument("[ids...]", "numbers in the list; none: what the filters select", parseIds)
    .option("--all", "without ids and filters: everything")
    .action(async (ids: number[] | undefined, options: BulkOptions) => {
      const selection = toSelection(ids, options);
      const { jobCount, requestCount } = await withDeadLetter((it) => it.retry(selection));
      console.log(`work items to be tried again: ${jobCount}; jobs open again: ${requestCount}`);
    });
  addFilters(dead.command("drop"), TAKEN_MAX, TAKEN_MAX)
    .description("Acknowledge failures: they stay failed and leave the list.")
    .argument("[ids...]", "numbers in the list; none: what the filters select", parseIds)
    .option("--all", "without ids and filters: everything")
    .action(async (ids: number[] | undefined, options: BulkOptions) => {
      const selection = toSelection(ids, options);
      const { jobCount } = await withDeadLetter((it) => it.drop(selection));
      console.log(`work items dropped: ${jobCount}`);
    });
}

async function list({ json = false, limit, ...options }: ListOptions): Promise<void> {
  const { toWorkItem } = await import("@clipmill/db");
  const filter = toFilter(options);
  const { jobs, next } = await withDeadLetter((it) => it.list(filter, { limit }));
  for (const item of jobs.map(toWorkItem)) console.log(json ? JSON.stringify(item) : toLine(item));
  if (jobs.length === 0) console.error("clipmill: nothing dead");
  if (next !== null) console.error(`clipmill: there is more than ${limit}; see --limit`);
}

function toLine({ id, failed_at, stage, code, tenant, attempts, detail }: WorkItem): string {
  const line = [
    String(id).padStart(8),
    failed_at.slice(0, 19),
    stage.padEnd(13),
    code.padEnd(20),
    tenant,
    `${attempts}×`,
    detail,
  ].join("  ");
  return toPrintable(line).replaceAll("\n", " ");
}

async function show(id: number): Promise<void> {
  const { toWorkItemDetail } = await import("@clipmill/db");
  const job = await withDeadLetter((it) => it.find(id));
  if (job === null)
    throw new EnvironmentError(
      `nothing dead has the number ${id}: \`clipmill dead list\` names those that there are`,
    );
  // JSON escapes what could steer a terminal, except direction marks.
  console.log(toPrintable(JSON.stringify(toWorkItemDetail(job), null, 2)));
}

function addFilters(command: Command, limit: number, max: number): Command {
  const parseLimit = (text: string) => {
    if (parseCount(text) <= max) return parseCount(text);
    throw new InvalidArgumentError(`at most ${max}.`);
  };
  return command
    .option("--code <code>", "with this error code")
    .option("--stage <name>", "of this stage")
    .option("--tenant <name>", "of this tenant")
    .option("--older-than <age>", "that failed longer ago, such as 30m, 12h or 7d", parseAge)
    .option("--newer-than <age>", "that failed since, such as 30m, 12h or 7d", parseAge)
    .option("--limit <count>", "at most this many", parseLimit, limit);
}

function toFilter(options: Omit<FilterOptions, "limit">): DeadFilter {
  const { code, stage, tenant, olderThan, newerThan } = options;
  if (code !== undefined && !isErrorCode(code))
    throw new UsageError(`there is no error code ${toPrintable(code)}`);
  const toMoment = (ageMs: number | undefined) =>
    ageMs === undefined ? undefined : new Date(Date.now() - ageMs).toISOString();
  return {
    code,
    stage,
    tenant,
    failedBefore: toMoment(olderThan),
    failedAfter: toMoment(newerThan),
  };
}

/** A typing slip must not touch everything: no ids and no filter needs `--all`. */
function toSelection(ids: readonly number[] = [], { all = false, limit, ...options }: BulkOptions) {
  const filter = toFilter(options);
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  if (ids.length > 0) {
    if (isFiltered || all) throw new UsageError("give ids or filters, not both");
    return { ids };
  }
  if (!isFiltered && !all) throw new UsageError("give ids, a filter, or --all");
  return { filter, limit };
}

async function withDeadLetter<T>(use: (dead: DeadLetter) => Promise<T>): Promise<T> {
  const { checkSchema, createDatabase, createDeadLetter, toDatabaseProblem } =
    await import("@clipmill/db");
  const { toUnusable } = await import("../up/database.ts");
  const { findRunState } = await import("../up/run-state.ts");
  const { CLIPMILL_HOME, DATABASE_URL } = loadCliConfig();
  const url = DATABASE_URL ?? findRunState(CLIPMILL_HOME)?.databaseUrl;
  if (url === undefined)
    throw new EnvironmentError("nothing runs here: start `clipmill up`, or set DATABASE_URL");
  const onError = () => {};
  const database = createDatabase({ url, poolSize: 1, name: "clipmill-dead", onError });
  try {
    const unfit = await checkSchema(database.pool);
    if (unfit !== null) throw new EnvironmentError(toUnusable(url, unfit));
    return await use(createDeadLetter(database));
  } catch (error) {
    const problem = toDatabaseProblem(error);
    if (problem === null) throw error;
    throw new EnvironmentError(toUnusable(url, problem), { cause: error });
  } finally {
    await database.close();
  }
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("a whole number above 0 is needed.");
}

function parseIds(text: string, before: number[] = []): number[] {
  return [...before, parseCount(text)];
}

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A century; what is much older has a year that Postgres does not know. */
const MAX_AGE_MS = 36_500 * 86_400_000;

function parseAge(text: string): number {
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  const ageMs = Number(count) * (unitMs ?? Number.NaN);
  if (ageMs > MAX_AGE_MS) throw new InvalidArgumentError("an age is at most 36500d.");
  if (ageMs >= 0) return ageMs;
  throw new InvalidArgumentError("an age is a number and s, m, h or d, such as 12h.");
}
