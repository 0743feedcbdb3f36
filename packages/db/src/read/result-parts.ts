import type { ArtifactKind, FoundParts } from "@clipmill/domain";
import type { ArtifactTable } from "../artifacts/artifact-table.ts";
import { toColumn } from "../artifacts/record-table.ts";

/** The part of an artifact that results are made of; its kind says which. */
interface View {
  engine: string;
}

/** The artifacts of one post or request, by kind. */
export type Parts = ReadonlyMap<string, Pick<FoundParts<View>, "own" | "variants">>;

/** How artifacts are selected with their post or request, a group of columns for each kind, and read back. */
export interface PartsQuery {
  columns: readonly string[];
  /** A text of each kind that is another one after any change of what its columns hold. */
  versions: readonly string[];
  joins: readonly string[];
  read(row: Readonly<Record<string, unknown>>): Parts;
}

/** What one kind adds to the query. */
interface PartQuery {
  columns: string[];
  version: string;
  join: string;
  read(row: Readonly<Record<string, unknown>>): Pick<FoundParts<View>, "own" | "variants">;
}

/** `owner`: the alias of the post or request whose map of artifacts says which they are. */
export function createPartsQuery(owner: "p" | "r", tables: readonly ArtifactTable[]): PartsQuery {
  const parts = tables.map((table) => {
    const toQuery = table.kind.result.hasVariants ? toVariantsQuery : toOwnQuery;
    return { name: table.kind.name, ...toQuery(owner, table) };
  });
  return {
    columns: parts.flatMap(({ columns }) => columns),
    versions: parts.map(({ version }) => version),
    joins: parts.map(({ join }) => join),
    read: (row) => new Map(parts.map(({ name, read }) => [name, read(row)])),
  };
}

/** The fields of a row that are read. */
function toShown({ result }: ArtifactKind): string[] {
  return [...new Set(["engine", ...result.columns])];
}

/** A kind of which a post has one artifact at most: a plain join. */
function toOwnQuery(owner: string, { kind, stored, legacyColumn }: ArtifactTable): PartQuery {
  const alias = `"${kind.name}"`;
  const named = `${owner}.artifacts ->> '${kind.name}'`;
  const key = legacyColumn === null ? named : `coalesce(${named}, ${owner}.${legacyColumn})`;
  const fields = toShown(kind).map((field) => ({ field, name: `${kind.name}.${field}` }));
  const engine = `${kind.name}.engine`;
  return {
    columns: fields.map(({ field, name }) => `${alias}.${toColumn(field)} as "${name}"`),
    version: `${alias}.xmin`,
    join: `left join ${stored.table} ${alias} on ${alias}.key = any (array[${key}])`,
    read(row) {
      // No artifact is without an engine, so there is none.
      if (typeof row[engine] !== "string") return { own: null, variants: {} };
      const view: Record<string, unknown> = {};
      for (const { field, name } of fields) view[field] = row[name];
      return { own: view as unknown as View, variants: {} };
    },
  };
}

/** A kind of which a post may have several: one column holds them all as JSON, by variant. */
function toVariantsQuery(owner: string, { kind, stored }: ArtifactTable): PartQuery {
  const alias = `"${kind.name}"`;
  const fields = toShown(kind).map((field) => `'${field}', a.${toColumn(field)}`);
  // `mood` itself is the variant without a name, `mood.de` the variant `de`.
  const variant = `substr(named.name, ${kind.name.length + 2})`;
  return {
    columns: [`${alias}.by_variant as "${kind.name}"`],
    version: `${alias}.version`,
    join: `left join lateral (
        select jsonb_object_agg(${variant}, jsonb_build_object(${fields.join(", ")})) as by_variant,
          string_agg(a.xmin::text, '-' order by named.name) as version
        from jsonb_each_text(${owner}.artifacts) as named (name, key) join ${stored.table} a on a.key = any (array[named.key])
        where named.name = '${kind.name}' or starts_with(named.name, '${kind.name}.')) ${alias} on true`,
    read(row) {
      const variants = (row[kind.name] ?? {}) as Record<string, View>;
      return { own: variants[""] ?? null, variants };
    },
  };
}
