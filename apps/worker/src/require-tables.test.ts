import { RECORD_TABLES } from "@clipmill/db";
import { RECORD_KINDS } from "@clipmill/domain";
import { expect, test } from "vitest";
import { requireTables } from "./require-tables.ts";

test("every kind of record has a table", () => {
  const produces = RECORD_KINDS.map(({ name }) => name);
  expect(() =>
    requireTables([{ name: "all", produces }, { name: "none" }], RECORD_TABLES),
  ).not.toThrow();
});

test("stages that produce what has no table are named with it, all at once", () => {
  const stages = [
    { name: "transcribe", produces: ["transcript"] },
    { name: "diarize", produces: ["turns", "transcript"] },
    { name: "chapters", produces: ["chapters"] },
  ];
  expect(() => requireTables(stages, RECORD_TABLES)).toThrow(
    "the stage diarize produces turns, which has no table, the stage chapters produces chapters, which has no table",
  );
});
