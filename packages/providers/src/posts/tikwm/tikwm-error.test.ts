import { expect, test } from "vitest";
import { findTikwmError } from "./tikwm-error.ts";

const find = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  findTikwmError({ status, headers, body }, "tikwm");
const refusal = (msg: string) => ({ code: -1, msg, processed_time: 0.01 });

test.each<[what: string, status: number, body: unknown, code: string]>([
  ["the limit of a second", 200, refusal("Free Api Limit: 1 request/second."), "throttled"],
  [
    "an unreadable link, which may be anything",
    200,
    refusal("Url parsing is failed! Please check url."),
    "bad_response",
  ],
  ["a private post", 200, refusal("This video is private"), "private"],
  ["a deleted post", 200, refusal("Video has been deleted"), "gone"],
  [
    "a post for adults",
    200,
    refusal("This video is age restricted, login required"),
    "unsupported",
  ],
  ["an unknown refusal", 200, refusal("Oops"), "bad_response"],
  ["a refusal without words", 200, { code: -1 }, "bad_response"],
  ["HTML with status 200", 200, undefined, "bad_response"],
  ["an empty object", 200, {}, "bad_response"],
  ["the firewall", 403, undefined, "blocked"],
  ["429", 429, undefined, "throttled"],
  ["503", 503, undefined, "upstream_unavailable"],
])("%s is the right error", (_what, status, body, code) => {
  expect(find(status, body)).toMatchObject({ code, upstream: "tikwm" });
});

test("a page of Cloudflare is a refusal of this machine, whatever its status", () => {
  expect(find(503, undefined, { "cf-mitigated": "challenge" })).toMatchObject({ code: "blocked" });
});

test("the limit names its wait: a second, or minutes for the day's", () => {
  expect(find(200, refusal("Free Api Limit: 1 request/second."))?.retryAfterMs).toBe(1_000);
  expect(find(200, refusal("daily limit reached"))?.retryAfterMs).toBe(600_000);
});

test("success is no error", () => {
  expect(find(200, { code: 0, msg: "success", data: {} })).toBeNull();
});
