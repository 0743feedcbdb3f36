import { expect, test } from "vitest";
import { createLogger, withoutUrls } from "./logger.ts";

test.each([
  [
    "fetch https://cdn.example/a.mp4?x-signature=abc&e=1 failed",
    "fetch https://cdn.example/a.mp4?[redacted] failed",
  ],
  ["at postgres://user:secret@db:5432/clipmill", "at postgres://db:5432/clipmill"],
  ["at redis://:p@ss:w@rd@cache:6379", "at redis://cache:6379"],
  ["a+ssh://me:secret@host/x#frag", "a+ssh://host/x?[redacted]"],
  [
    "(see https://a.example/x) and 'http://b.example/y?z=1'",
    "(see https://a.example/x) and 'http://b.example/y?[redacted]'",
  ],
  [
    "https://a.example/?t=1 https://b.example/?t=2",
    "https://a.example/?[redacted] https://b.example/?[redacted]",
  ],
  ["no link: a+b, c://", "no link: a+b, c://"],
])("what is secret in a link is taken out of %j", (text, expected) => {
  expect(withoutUrls(text)).toBe(expected);
});

test("an error's own properties, its message's links and its cause's are not logged", () => {
  const lines: string[] = [];
  const log = createLogger({ LOG_LEVEL: "info" }, "test", {
    write: (line) => void lines.push(line),
  });
  const cause = new Error("GET https://cdn.example/?sig=secret");
  log.error({ err: Object.assign(new Error("x", { cause }), { body: "secret" }) }, "failed");
  expect(lines.join()).not.toContain("secret");
  expect(lines.join()).toContain("https://cdn.example/?[redacted]");
});

test("the work grows with the text and not with its square", () => {
  for (const run of [
    "a+",
    "://",
    "://@",
    "://'",
    "://a:b@",
    "https://x?",
    "?",
    "@",
    "://a\n",
    "a:/",
  ]) {
    const [short, long] = [16_000, 128_000].map((length) => {
      const text = run.repeat(length / run.length);
      const startedAt = process.cpuUsage();
      withoutUrls(text);
      return process.cpuUsage(startedAt).user / 1_000;
    });
    // Eight times the text: a quadratic pattern takes 64 times as long.
    expect(long).toBeLessThan(Math.max(60, 30 * (short ?? 0)));
  }
});
