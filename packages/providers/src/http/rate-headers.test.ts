import { describe, expect, test } from "vitest";
import { findHoldOffMs, findWaitMs, type RateHeaders } from "./rate-headers.ts";

const NOW = 1_790_000_000_000;
const inAMinute = NOW / 1_000 + 60;

describe("no call is left", () => {
  test.each<[what: string, headers: RateHeaders, holdOffMs: number]>([
    ["for seconds", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" }, 9_000],
    [
      "until a Unix time",
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": `${inAMinute}` },
      60_000,
    ],
    [
      "until a Unix time in ms",
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": `${inAMinute}000` },
      60_000,
    ],
    ["with a fraction", { "x-rate-limit-remaining": "0", "x-rate-limit-reset": "0.5" }, 500],
    ["and less than that", { "ratelimit-remaining": "-1", "ratelimit-reset": "2" }, 2_000],
    ["in one header", { ratelimit: "limit=200, remaining=0, reset=7" }, 7_000],
    ["in structured fields", { ratelimit: '"default";r=0;t=8' }, 8_000],
    [
      "by the second of two limits",
      { ratelimit: '"burst";r=3;t=1, "minute";r=0;t=42;pk=:abc:' },
      42_000,
    ],
    ["by the longer of two", { ratelimit: ['"burst";r=0;t=1', '"minute";r=0;t=5'] }, 5_000],
    [
      "for a day, which is asked again in an hour",
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "86400" },
      3_600_000,
    ],
  ])("%s", (_what, headers, holdOffMs) => {
    expect(findHoldOffMs(headers, NOW)).toBe(holdOffMs);
  });
});

test.each<[what: string, headers: RateHeaders]>([
  ["nothing is told", {}],
  ["calls are left", { "x-ratelimit-remaining": "1", "x-ratelimit-reset": "9" }],
  ["calls are left by every limit", { ratelimit: '"a";r=1;t=1, "b";r=9;t=9' }],
  ["nobody says until when", { "x-ratelimit-remaining": "0" }],
  [
    "the moment has passed",
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset": `${inAMinute - 61}` },
  ],
  ["the window ends now", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "0" }],
  [
    "the words are no numbers",
    { "x-ratelimit-remaining": "0x0", "x-ratelimit-reset": "soon", ratelimit: "r=;t=9" },
  ],
  ["remaining is empty", { "x-ratelimit-remaining": "", "x-ratelimit-reset": "9" }],
])("there is no reason to hold off where %s", (_what, headers) => {
  expect(findHoldOffMs(headers, NOW)).toBeUndefined();
});

test("a refused call waits as it is told, else until the reset, whatever is left", () => {
  const reset = { "x-ratelimit-remaining": "3", "x-ratelimit-reset": "9" };
  expect(findWaitMs(reset, NOW)).toBe(9_000);
  expect(findWaitMs({ ...reset, "retry-after": "2" }, NOW)).toBe(2_000);
  expect(findWaitMs({ ratelimit: '"a";r=1;t=4' }, NOW)).toBe(4_000);
  expect(findWaitMs({ "x-ratelimit-reset": "soon", "retry-after": "soon" }, NOW)).toBeUndefined();
});
