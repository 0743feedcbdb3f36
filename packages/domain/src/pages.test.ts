import { expect, test } from "vitest";
import { type Page, pages } from "./pages.ts";

/** Answers by the cursor; an unknown cursor fails the test. */
function fromTable(table: Record<string, Page<number>>) {
  const asked: (string | null)[] = [];
  return {
    asked,
    async fetchPage(cursor: string | null) {
      asked.push(cursor);
      const page = table[cursor ?? "start"];
      if (page === undefined) throw new Error(`nobody gave the cursor ${cursor}`);
      return page;
    },
  };
}

async function readAll(fetchPage: (cursor: string | null) => Promise<Page<number>>) {
  const items: number[] = [];
  try {
    for await (const page of pages(fetchPage)) items.push(...page);
    return { items, error: null };
  } catch (error) {
    return { items, error };
  }
}

test("pages follow their cursors to the end", async () => {
  const list = fromTable({
    start: { items: [1, 2], cursor: "2" },
    2: { items: [], cursor: "3" },
    3: { items: [3], cursor: null },
  });
  expect(await readAll(list.fetchPage)).toEqual({ items: [1, 2, 3], error: null });
  expect(list.asked).toEqual([null, "2", "3"]);
});

test("a cursor that does not move ends with an error after its page", async () => {
  const list = fromTable({
    start: { items: [1], cursor: "0" },
    0: { items: [2], cursor: "0" },
  });
  const { items, error } = await readAll(list.fetchPage);
  expect(items).toEqual([1, 2]);
  expect(error).toMatchObject({ code: "bad_response" });
  expect(list.asked).toHaveLength(2);
});

test("cursors that go round in a circle are found out", async () => {
  const list = fromTable({
    start: { items: [1], cursor: "a" },
    a: { items: [2], cursor: "b" },
    b: { items: [3], cursor: "a" },
  });
  expect(await readAll(list.fetchPage)).toMatchObject({
    items: [1, 2, 3],
    error: { code: "bad_response" },
  });
});

test("an empty page whose cursor stands still is the end", async () => {
  const list = fromTable({
    start: { items: [1], cursor: "1" },
    1: { items: [], cursor: "1" },
  });
  expect(await readAll(list.fetchPage)).toEqual({ items: [1], error: null });
});

test("empty pages without end are the end", async () => {
  let calls = 0;
  const fetchPage = async () => ({ items: [] as number[], cursor: String(++calls) });
  expect(await readAll(fetchPage)).toEqual({ items: [], error: null });
  expect(calls).toBe(3);
});

test("nothing is asked for once the caller has enough", async () => {
  const list = fromTable({ start: { items: [1], cursor: "2" } });
  for await (const page of pages(list.fetchPage)) {
    expect(page).toEqual([1]);
    break;
  }
  expect(list.asked).toEqual([null]);
});
