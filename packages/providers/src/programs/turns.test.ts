import { expect, test } from "vitest";
import { createTurns } from "./turns.ts";

const { signal } = new AbortController();
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Calls by name that run until they are told to end. */
function createCalls(count: number) {
  const turns = createTurns(count);
  const events: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    events,
    ask(name: string, on: AbortSignal = signal) {
      const onWait = () => {
        events.push(`${name} waits`);
        return () => void events.push(`${name} has waited`);
      };
      return turns.run({ signal: on, onWait }, async () => {
        events.push(`${name} runs`);
        await new Promise<void>((end) => ends.set(name, end));
        if (name === "bad") throw new Error("bad");
        return name;
      });
    },
    async end(name: string) {
      await settle();
      ends.get(name)?.();
      await settle();
    },
  };
}

test("so many calls run at once, the others in the order in which they came, and only they wait", async () => {
  const { events, ask, end } = createCalls(2);
  const asked = ["a", "b", "c", "d"].map((name) => ask(name));
  await settle();
  expect(events).toEqual(["c waits", "d waits", "a runs", "b runs"]);
  await end("b");
  expect(events.slice(4)).toEqual(["c has waited", "c runs"]);
  for (const name of ["a", "c", "d"]) await end(name);
  expect(await Promise.all(asked)).toEqual(["a", "b", "c", "d"]);
});

test("a call that fails gives its turn on", async () => {
  const { events, ask, end } = createCalls(1);
  const bad = ask("bad");
  bad.catch(() => {});
  const next = ask("next");
  await end("bad");
  await expect(bad).rejects.toThrow("bad");
  expect(events.at(-1)).toBe("next runs");
  await end("next");
  expect(await next).toBe("next");
});

test("who gives up before the turn rejects with the reason, runs nothing and takes no turn", async () => {
  const { events, ask, end } = createCalls(1);
  const abort = new AbortController();
  void ask("a");
  const given = ask("given up", abort.signal);
  given.catch(() => {});
  const last = ask("last");
  abort.abort(new Error("lease lost"));
  await expect(given).rejects.toThrow("lease lost");
  await expect(ask("too late", abort.signal)).rejects.toThrow("lease lost");
  await end("a");
  expect(events).toContain("given up has waited");
  expect(events.at(-1)).toBe("last runs");
  expect(events).not.toContain("given up runs");
  await end("last");
  expect(await last).toBe("last");
  const again = ask("again");
  await settle();
  expect(events.at(-1)).toBe("again runs");
  await end("again");
  await again;
});
