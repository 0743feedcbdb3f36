import type { ArtifactKind, FoundParts } from "@clipmill/domain";
import type { ArtifactTable } from "../artifacts/artifact-table.ts";
import { toColumn } from "../artifacts/record-table.ts";

/** The fields of an artifact that results are made of, as its kind names them. */
interface View {
  engine: string;
}

/** The artifacts of one post or request, by kind. */
export type Parts = ReadonlyMap<string, Pick<FoundParts<View>, "own" | "variants">>;

/** Selects the artifacts of a post or request, with some columns for each kind, and reads them from the row. */
export interface PartsQuery {
  columns: readonly string[];
  /** SQL for each kind: a text that changes whenever its columns change. */
  versions: readonly string[];
  joins: readonly string[];
  read(row: Readonly<Record<string, unknown>>): Parts;
}

/** The part of the query for one kind. */
interface PartQuery {
  columns: string[];
  version: string;
  join: string;
  read(row: Readonly<Record<string, unknown>>): Pick<FoundParts<View>, "own" | "variants">;
}

/** `owner`: the alias of the post or request whose `artifacts` names them. */
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

/** The fields to select. */
function toShown({ result }: ArtifactKind): string[] {
  return [...new Set(["engine", ...result.columns])];
}

/** For a kind without variants, of which a post has at most one artifact: a plain join. */
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
      // Every artifact has an engine, so without one there is no artifact.
      if (typeof row[engine] !== "string") return { own: null, variants: {} };
      const view: Record<string, unknown> = {};
      for (const { field, name } of fields) view[field] = row[name];
      return { own: view as unknown as View, variants: {} };
    },
  };
}

/** For a kind with variants: one column holds all artifacts of a post as JSON, by variant. */
function toVariantsQuery(owner: string, { kind, stored }: ArtifactTable): PartQuery {
  const alias = `"${kind.name}"`;
  const fields = toShown(kind).map((field) => `'${field}', a.${toColumn(field)}`);
  // The part after the dot: `mood.de` has the variant `de`, and `mood` the variant "".
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
