import { expect, test } from "vitest";
import { selectReading, toLines } from "./tesseract-lines.ts";

test("lines are trimmed, and those without two letters or digits together are dropped", () => {
  expect(toLines(" Five  things | wish \n\n ~ . |\nx\n| knew\n\f")).toEqual([
    "Five things I wish",
    "I knew",
  ]);
});

test("a reading is bounded", () => {
  const lines = toLines(Array(500).fill("a".repeat(5_000)).join("\n"));
  expect(lines).toHaveLength(60);
  expect(lines[0]).toHaveLength(200);
});

test("the reading with more real words wins, the first where they are even", () => {
  const noise = ["eRv xKq", "brr zzz"];
  expect(selectReading(noise, ["Five things"])).toEqual(["Five things"]);
  expect(selectReading(["Five things"], noise)).toEqual(["Five things"]);
  expect(selectReading(["Five things!"], ["Nine lives"])).toEqual(["Five things!"]);
});
