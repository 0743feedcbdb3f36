import { hashJson, type RequestFacts } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";

export type Options = Pick<RequestFacts, "outputs" | "recipes" | "language" | "fresh">;

/** Options that requests share, stored once and cached: the rows never change, and there are few. */
export interface RequestOptions {
  /** Stores the sets of options that are new. Returns the id of each, in order. */
  save(tx: Queryable, all: readonly Options[]): Promise<number[]>;
  /** Reads these sets of options. Returns a function that finds one of them by its id, and throws for other ids. */
  load(tx: Queryable, ids: readonly number[]): Promise<(id: number) => Options>;
}

export function createRequestOptions(): RequestOptions {
  const byId = new Map<number, Options>();
  // Only ids that a select returned: an insert may still be rolled back.
  const idByHash = new Map<string, number>();

  async function find(tx: Queryable, hashes: readonly string[]): Promise<void> {
    const { rows } = await tx.query<{ id: number; hash: string }>({
      name: "find_request_options",
      text: "select id, hash from request_options where hash = any ($1::text[])",
      values: [hashes],
    });
    for (const { id, hash } of rows) idByHash.set(hash, id);
  }

  return {
    async save(tx, all) {
      const hashes = toHashes(all);
      const byHash = new Map(all.map((options, i) => [hashes[i] ?? "", options]));
      const unknown = [...byHash.keys()].filter((hash) => !idByHash.has(hash)).sort();
      if (unknown.length > 0) await find(tx, unknown);
      const fresh = new Map<string, number>();
      for (const hash of unknown) {
        const options = byHash.get(hash);
        if (options === undefined || idByHash.has(hash)) continue;
        // `do update`, not `do nothing`: only then is a row returned that another transaction has just stored.
        const { rows } = await tx.query<{ id: number }>(
          `insert into request_options (hash, outputs, recipes, language, fresh) values ($1, $2, $3, $4, $5)
           on conflict (hash) do update set hash = excluded.hash
           returning id`,
          [
            hash,
            [...options.outputs],
            JSON.stringify(options.recipes),
            options.language,
            options.fresh,
          ],
        );
        for (const { id } of rows) fresh.set(hash, id);
      }
      return hashes.map((hash) => {
        const id = idByHash.get(hash) ?? fresh.get(hash);
        if (id === undefined) throw new Error("request options were not stored");
        return id;
      });
    },

    async load(tx, ids) {
      const missing = [...new Set(ids)].filter((id) => !byId.has(id));
      if (missing.length > 0) {
        const { rows } = await tx.query<Options & { id: number }>({
          name: "load_request_options",
          text: "select id, outputs, recipes, language, fresh from request_options where id = any ($1::integer[])",
          values: [missing],
        });
        for (const { id, ...options } of rows) byId.set(id, options);
      }
      return (id) => {
        const options = byId.get(id);
        if (options === undefined) throw new Error(`request options ${id} do not exist`);
        return options;
      };
    },
  };
}

/** All requests of a list share the same option objects, so an entry equal to the one before it is not hashed again. */
function toHashes(all: readonly Options[]): string[] {
  let last: Options | undefined;
  let hash = "";
  return all.map((options) => {
    const { outputs, recipes, language, fresh } = options;
    const isSame =
      last?.outputs === outputs &&
      last.recipes === recipes &&
      last.language === language &&
      last.fresh === fresh;
    if (!isSame) hash = toHash(options);
    last = options;
    return hash;
  });
}

/** `fresh` counts only if set, so that options stored before this field existed keep their hash. */
function toHash({ fresh, ...options }: Options): string {
  return hashJson(fresh ? { ...options, fresh } : options);
}
