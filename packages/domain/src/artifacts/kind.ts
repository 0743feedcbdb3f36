import { z } from "zod";
import type { EngineListing } from "../post/models.ts";
import { defineRecord, type RecordKind } from "../work/record.ts";

/** What every artifact has. Stored artifacts never change: the first writer of a key wins. */
export interface ArtifactRow {
  /** Hash of all that made it what it is, the engine included. */
  key: string;
  /** The engine that ran. */
  engine: string;
}

/**
 * A kind of artifact. `View` is the part of a row that results are made of, `Fields` the shape of the fields that it
 * adds to the public result.
 */
export interface ArtifactKind<
  Row extends ArtifactRow = ArtifactRow,
  View = unknown,
  Fields extends z.ZodRawShape = z.ZodRawShape,
> extends RecordKind<Row> {
  readonly result: ResultPart<View, Fields>;
}

/** What a kind adds to the public result of a post or a request. */
export interface ResultPart<View, Fields extends z.ZodRawShape = z.ZodRawShape> {
  /** The fields of a row that are read for it; `engine` always is. */
  readonly columns: readonly string[];
  /** Several artifacts of the kind may belong to one post, told apart by their variants. */
  readonly hasVariants: boolean;
  readonly listing: EngineListing;
  readonly fields: Fields;
  /** Makes the fields; also where there is no artifact. */
  toFields(found: FoundParts<View>): z.output<z.ZodObject<Fields>>;
  /** Whether fields are what `fields` promises. They are not if another version stored an artifact of another shape. */
  isValid(made: unknown): boolean;
}

/** The artifacts of one post or request, as far as results are made of them. */
export interface FoundParts<View> {
  /** The one without a variant; null where there is none. */
  own: View | null;
  /** By variant; `""` is the one without. Empty but for kinds that have variants. */
  variants: Readonly<Record<string, View>>;
  /** The one of another kind without a variant; null where there is none, or where the kind is not read. */
  find<Other>(kind: { readonly name: string; readonly result: ResultPart<Other> }): Other | null;
}

interface ArtifactSpec<
  Row extends ArtifactRow,
  Column extends keyof Row & string,
  Fields extends z.ZodRawShape,
> extends Pick<RecordKind<Row>, "name" | "shape"> {
  /** Fields of the row. Default: none. */
  columns?: readonly Column[];
  /** Default false. */
  hasVariants?: boolean;
  /** Default: its engine is not listed as a model, and its own name stands in `simulated`. */
  listing?: EngineListing;
  /** Of the public result. Default: none. */
  fields?: Fields;
  toFields?(found: FoundParts<Pick<Row, Column | "engine">>): z.output<z.ZodObject<Fields>>;
}

/** A kind whose rows are told apart by their `key`. */
export function defineArtifact<
  Row extends ArtifactRow,
  Column extends keyof Row & string = never,
  Fields extends z.ZodRawShape = z.ZodRawShape,
>({
  name,
  shape,
  columns = [],
  hasVariants = false,
  listing = { model: null, stage: name },
  fields = {} as Fields,
  toFields = () => ({}) as z.output<z.ZodObject<Fields>>,
}: ArtifactSpec<Row, Column, Fields>): ArtifactKind<Row, Pick<Row, Column | "engine">, Fields> {
  const shown = z.object(fields);
  const isValid = (made: unknown) => shown.safeParse(made).success;
  return {
    ...defineRecord<Row>({ name, shape, key: (row) => row.key }),
    result: { columns, hasVariants, listing, fields, toFields, isValid },
  };
}
