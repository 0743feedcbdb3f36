import { readFileSync, writeFileSync } from "node:fs";
import { ENV } from "@clipmill/config";
import { ERROR_CODES } from "@clipmill/domain";
import { describe, expect, test } from "vitest";

const SETTINGS = new URL("../../../packages/config/SETTINGS.md", import.meta.url);
const ERRORS = new URL("../../../packages/domain/ERRORS.md", import.meta.url);

/** `UPDATE_README=1` writes the tables instead of comparing them. */
const UPDATE = process.env["UPDATE_README"] === "1";

/** Compares the table between the page's markers of this name. */
function expectSection(page: URL, name: string, rows: readonly string[][]): void {
  const [head = [], ...body] = rows;
  const table = [head, head.map(() => "---"), ...body]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
  const pattern = new RegExp(`(<!-- ${name} -->\n)([\\s\\S]*?)(<!-- /${name} -->)`);
  if (UPDATE) {
    const current = readFileSync(page, "utf8");
    writeFileSync(
      page,
      current.replace(
        pattern,
        (_all, open: string, _old, close: string) => `${open}\n${table}\n\n${close}`,
      ),
    );
    return;
  }
  const stored = pattern.exec(readFileSync(page, "utf8"))?.[2] ?? "";
  const cells = (text: string) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("|") && !/^[|\s:-]+$/.test(line))
      .map((line) => line.split("|").map((cell) => cell.trim()));
  expect(cells(stored)).toEqual(cells(table));
}

describe("the tables of settings and error codes", () => {
  test("list every environment variable with its meaning", () => {
    const rows = Object.entries(ENV).map(([name, { meaning }]) => [
      `\`${name}\``,
      meaning.replaceAll("|", "\\|"),
    ]);
    expectSection(SETTINGS, "configuration", [["variable", "meaning"], ...rows]);
  });

  test("list every error code with what it fixes", () => {
    const yes = (value: boolean) => (value ? "yes" : "");
    const rows = Object.entries(ERROR_CODES).map(([code, entry]) => [
      `\`${code}\``,
      entry.title,
      entry.disposition,
      String(entry.status),
      yes(entry.refund),
      yes(entry.failover),
      entry.disposition === "retryable" ? yes(entry.counts) : "",
    ]);
    expectSection(ERRORS, "errors", [
      ["code", "means", "disposition", "status", "refund", "failover", "attempt"],
      ...rows,
    ]);
  });
});
