import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Database, sweepOrphans } from "@clipmill/db";
import type { Storage, StorageKey } from "@clipmill/domain";
import type { Calls } from "@clipmill/sandbox";
import type { PlantedCase } from "./planted-mix.ts";

interface End {
  link: string;
  end: string;
  files: string;
  isCaptioned: boolean;
}

/** How each request ended, by its link. */
export async function readEnds({ pool }: Database): Promise<Map<string, End>> {
  const { rows } = await pool.query<End>(`
    select r.link, concat_ws(': ', r.state, coalesce(r.error_code, r.warnings -> 0 ->> 'code')) as end,
      coalesce((select string_agg(m.role, ' ' order by m.role desc, m.position) from post_media m
        where m.post_id = r.post_id and m.role <> 'cover'), '') as files,
      exists (select 1 from transcript t where t.key = r.artifacts ->> 'transcript' and t.origin = 'captions') as "isCaptioned"
    from request r`);
  return new Map(rows.map((row) => [row.link, row]));
}

/** Every post that did not end as it was planted, in words. */
export function findDeviations(
  planted: readonly PlantedCase[],
  ends: ReadonlyMap<string, End>,
): string[] {
  return planted.flatMap(({ of, link, post }) => {
    const found = ends.get(link);
    const say = (what: string) => [`${post.id} (${of.name}): ${what}`];
    if (found === undefined) return say("has no request");
    if (found.end !== of.expect) return say(`${found.end} instead of ${of.expect}`);
    if (found.files !== (of.files ?? "")) return say(`has "${found.files}", not "${of.files}"`);
    if (found.isCaptioned !== (of.hasCaptions ?? false)) return say("words of another origin");
    return [];
  });
}

/** What lies on the disk and should not, or should and does not, in words. Deletes the orphans, as retention would. */
export async function findLeaks(
  { database, storage }: { database: Database; storage: Storage },
  { directory, orphans }: { directory: string; orphans: number },
): Promise<string[]> {
  const { signal } = new AbortController();
  const leaks = (await readdir(join(directory, "media", "scratch"))).map(
    (name) => `scratch/${name}`,
  );
  const swept = await sweepOrphans(database, {
    files: storage.list("media"),
    kind: "media",
    writtenBefore: new Date(Date.now() + 60_000),
    deleteFile: (key) => storage.delete(key),
    signal,
  });
  if (swept !== orphans) leaks.push(`${swept} files without a row instead of ${orphans}`);

  const { rows } = await database.pool.query<{ key: StorageKey }>(
    "select 'media/' || sha256 as key from media where removed_at is null",
  );
  const known = new Set(rows.map(({ key }) => key));
  for await (const { key } of storage.list("media")) {
    if (!known.delete(key)) leaks.push(`${key} has no row`);
    const state = await storage.verify(key, { signal });
    if (state !== "whole") leaks.push(`${key} is ${state}`);
  }
  for await (const { key } of storage.list("audio")) leaks.push(`${key} was made by nobody`);
  return [...leaks, ...[...known].map((key) => `${key} has a row and no file`)];
}

/** The share of the calls about good posts that a fault hit; what bad ones are planted with stays out of it. */
export function toFaultShare(
  planted: readonly PlantedCase[],
  calls: Calls,
  faulted: readonly string[],
): number {
  const good = new Set(planted.filter(({ isGood }) => isGood).map(({ post }) => post.id));
  const counts = Object.values(calls).flatMap(({ posts }) => Object.entries(posts));
  const total = counts.reduce((sum, [id, count]) => sum + (good.has(id) ? count : 0), 0);
  return faulted.filter((id) => good.has(id)).length / total;
}
