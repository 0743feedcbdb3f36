import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FAULT_KINDS } from "../../chaos/harness/faults.ts";

const ROOT = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("test/chaos/FAULTS.md", ROOT), "utf8");
const rows = page.split("\n").filter((line) => /^\| \d+ +\|/.test(line));
const named = [...page.matchAll(/`(test\/[^`]+)` › "([^"]+)"/g)];
const kinds = [...page.matchAll(/`chaos: ([a-z-]+)`/g)].map(([, kind]) => kind ?? "");

test("the fault table has its fifty-five rows, each with a test or a reason", () => {
  expect(rows.map((row) => Number(row.split("|")[1]))).toEqual(
    Array.from({ length: 55 }, (_, i) => i + 1),
  );
  for (const row of rows) expect(row).toMatch(/› "|`chaos: [a-z]|not tested/);
});

test.each(named.map(([, path = "", name = ""]) => ({ path, name })))(
  "the fault table's test exists: $name",
  ({ path, name }) => {
    expect(readFileSync(new URL(path, ROOT), "utf8")).toContain(`"${name}"`);
  },
);

test("the fault table names faults that the harness makes", () => {
  expect(FAULT_KINDS).toEqual(expect.arrayContaining(kinds));
  expect(kinds.length).toBeGreaterThan(0);
});
