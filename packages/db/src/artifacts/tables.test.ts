import { RECORD_KINDS } from "@clipmill/domain";
import { getTableConfig } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import {
  answer,
  media,
  postMedia,
  preparedAudio,
  screenText,
  transcript,
} from "../schema/index.ts";
import { toColumn } from "./record-table.ts";
import { RECORD_TABLES } from "./tables.ts";

const SCHEMA = [media, postMedia, preparedAudio, transcript, screenText, answer].map(
  getTableConfig,
);

test("each kind of record has one table, in the order in which kinds are registered", () => {
  expect(RECORD_TABLES.map(({ kind }) => kind)).toEqual(RECORD_KINDS);
});

const stored = RECORD_TABLES.flatMap((table) => table.stored ?? []);

test.each(stored)("the columns of $table are those of the schema", ({ table, columns }) => {
  const inSchema = SCHEMA.find(({ name }) => name === table)?.columns ?? [];
  const types = Object.fromEntries(inSchema.map((column) => [column.name, column.getSQLType()]));
  for (const [field, type] of Object.entries(columns)) expect(types[toColumn(field)]).toBe(type);
});
