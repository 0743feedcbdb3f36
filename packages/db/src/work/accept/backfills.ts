import { newBackfillId, type Submission, UnrecoverableError } from "@clipmill/domain";
import type pg from "pg";
import { type Database, withTransaction } from "../../database.ts";
import { acceptPrepared, prepareSubmissions } from "./accept.ts";
import type { PreparedSubmissions } from "./store-new.ts";
import { createPlanning, type PipelineRules } from "../plan/planning.ts";

/** A list of links, and how far it has been accepted. */
export interface Backfill {
  id: string;
  /** A short id for the keys of its items; null in lists older than this column. */
  number: number | null;
  /** `interrupted`: the upload broke off. The same upload under the same key continues after `lineCount` items. */
  state: "accepting" | "interrupted" | "accepted";
  /** Items read so far: the sum of the three counts below. */
  lineCount: number;
  acceptedCount: number;
  /** Posts that were in the list already. */
  duplicateCount: number;
  invalidCount: number;
  /** The first of the items that are no links, MAX_INVALID_LINES at most. */
  invalidLines: InvalidLine[];
  createdAt: string;
  updatedAt: string;
}

/** An item that is no link of a post. */
export interface InvalidLine {
  /** Counted from 1. */
  line: number;
  /** For the person who made the list. */
  reason: string;
}

/** So many are named; the others are counted only. */
export const MAX_INVALID_LINES = 100;

/** A chunk, ready to be stored. */
export interface PreparedChunk {
  submissions: PreparedSubmissions;
  invalidCount: number;
  invalidLines: readonly InvalidLine[];
}

/** Items of a list, in its order. */
export interface BackfillChunk {
  /** Their idempotency keys are ignored: `prepare` sets the list's own. */
  submissions: readonly Submission[];
  invalidCount: number;
  /** Which they are, in the list's order. Default: not told. */
  invalid?: readonly InvalidLine[];
}

export interface BackfillStore {
  /**
   * Begins a list, or returns the one that was begun under this key, to be continued. Throws UnrecoverableError
   * `idempotency_conflict` if that one has other options.
   */
  begin(list: {
    tenant: string;
    idempotencyKey: string | null;
    optionsHash: string;
  }): Promise<Backfill>;
  /** Prepares a chunk without the database, so that it can run while the previous chunk is being stored. */
  prepare(list: Pick<Backfill, "id" | "number">, chunk: BackfillChunk): PreparedChunk;
  /**
   * Stores a chunk and its counts in one transaction. `after` is the list as the previous call returned it. Throws
   * UnrecoverableError `idempotency_conflict` if another upload has changed the list since then.
   */
  append(after: Backfill, chunk: PreparedChunk): Promise<Backfill>;
  /** Marks the list as complete, or its upload as broken off. Throws as `append` does. */
  end(backfill: Backfill, state: "accepted" | "interrupted"): Promise<Backfill>;
  find(id: string): Promise<Backfill | null>;
}

const COLUMNS = `b.id, b.number, b.state, b.line_count as "lineCount", b.accepted_count as "acceptedCount",
  b.duplicate_count as "duplicateCount", b.invalid_count as "invalidCount", b.invalid_lines as "invalidLines",
  to_json(b.created_at) #>> '{}' as "createdAt", to_json(b.updated_at) #>> '{}' as "updatedAt"`;

export function createBackfillStore(
  { pool }: Pick<Database, "pool">,
  { pipelines }: { pipelines: PipelineRules },
): BackfillStore {
  const planning = createPlanning(pipelines);
  const { plan } = pipelines;

  return {
    async begin({ tenant, idempotencyKey, optionsHash }) {
      // `do update`, not `do nothing`: only then is a row that existed already returned.
      const { rows } = await pool.query<Backfill & { optionsHash: string }>(
        `insert into backfill as b (id, tenant, idempotency_key, options_hash) values ($1, $2, $3, $4)
         on conflict (tenant, idempotency_key) where idempotency_key is not null
         do update set state = case b.state when 'interrupted' then 'accepting' else b.state end
         returning ${COLUMNS}, b.options_hash as "optionsHash"`,
        [newBackfillId(), tenant, idempotencyKey, optionsHash],
      );
      const [row] = rows;
      if (row === undefined) throw new Error("the backfill was neither stored nor found");
      const { optionsHash: begunWith, ...backfill } = row;
      if (begunWith === optionsHash) return backfill;
      throw new UnrecoverableError(
        "idempotency_conflict",
        "this idempotency key began a list with other options",
      );
    },

    prepare: (list, { submissions, invalidCount, invalid = [] }) => ({
      submissions: prepareSubmissions(
        plan,
        submissions.map((submission) => ({
          ...submission,
          idempotencyKey: toItemKey(list, submission),
        })),
        { isOwnKey: true },
      ),
      invalidCount,
      invalidLines: invalid.slice(0, MAX_INVALID_LINES),
    }),

    append: (after, { submissions, invalidCount, invalidLines }) =>
      withTransaction(pool, async (tx) => {
        const accepted = await acceptPrepared(tx, planning, submissions);
        const acceptedCount = accepted.filter(({ created }) => created).length;
        return moveOn(tx, after, {
          acceptedCount,
          duplicateCount: accepted.length - acceptedCount,
          invalidCount,
          invalidLines: invalidLines.slice(0, MAX_INVALID_LINES - after.invalidLines.length),
        });
      }),

    async end({ id, lineCount }, state) {
      const { rows } = await pool.query<Backfill>(
        `update backfill b set state = $3, updated_at = now()
         where b.id = $1 and b.line_count = $2 and b.state <> 'accepted'
         returning ${COLUMNS}`,
        [id, lineCount, state],
      );
      return rows[0] ?? refuseSecondUpload();
    },

    async find(id) {
      const { rows } = await pool.query<Backfill>(
        `select ${COLUMNS} from backfill b where b.id = $1`,
        [id],
      );
      return rows[0] ?? null;
    },
  };
}

/**
 * Adds the counts of a chunk. If two uploads use one key, the slower finds another `line_count`, and its chunk fails.
 */
async function moveOn(
  tx: pg.ClientBase,
  after: Backfill,
  counts: Pick<Backfill, "acceptedCount" | "duplicateCount" | "invalidCount" | "invalidLines">,
): Promise<Backfill> {
  const { rows } = await tx.query<Backfill>({
    name: "move_backfill_on",
    text: `update backfill b set accepted_count = b.accepted_count + $3, duplicate_count = b.duplicate_count + $4,
        invalid_count = b.invalid_count + $5, line_count = b.line_count + $3 + $4 + $5,
        invalid_lines = b.invalid_lines || $6::jsonb, updated_at = now()
      where b.id = $1 and b.line_count = $2 and b.state <> 'accepted'
      returning ${COLUMNS}`,
    values: [
      after.id,
      after.lineCount,
      counts.acceptedCount,
      counts.duplicateCount,
      counts.invalidCount,
      JSON.stringify(counts.invalidLines),
    ],
  });
  return rows[0] ?? refuseSecondUpload();
}

function refuseSecondUpload(): never {
  throw new UnrecoverableError("idempotency_conflict", "another upload continues this list");
}

/** The same for the same post in one list. The arrow keeps it apart from callers' keys, which are ASCII. */
function toItemKey(list: Pick<Backfill, "id" | "number">, { postId, link }: Submission): string {
  return `${list.number ?? list.id}→${postId ?? link}`;
}
