import { expect, test } from "vitest";
import { findTikLiveError } from "./tiklive-error.ts";

const find = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  findTikLiveError({ status, headers, body }, "tiklive");

test.each<[what: string, status: number, body: unknown, code: string]>([
  ["not found in the error shape", 200, { status: "error", message: "Not found post" }, "gone"],
  ["the same with status 404", 404, { status: "error", message: "Not found post" }, "gone"],
  [
    "private in the error shape",
    200,
    { status: "error", message: "This post is private" },
    "private",
  ],
  [
    "private wins over not found",
    200,
    { status: "error", message: "Not found: private" },
    "private",
  ],
  [
    "a bare message about the key",
    200,
    { message: "Invalid API key. Sign up to get one" },
    "provider_key",
  ],
  [
    "a bare message about the balance",
    200,
    { message: "Insufficient balance" },
    "provider_balance",
  ],
  [
    "the same in the error shape",
    200,
    { status: "error", message: "No credits left" },
    "provider_balance",
  ],
  [
    "a key that is not found, in the error shape",
    200,
    { status: "error", message: "API key not found" },
    "provider_key",
  ],
  [
    "a key that is private, in the error shape",
    200,
    { status: "error", message: "Your private key was removed" },
    "provider_key",
  ],
  [
    "an endpoint that is not found, in the error shape",
    404,
    { status: "error", message: "Endpoint not found" },
    "bad_response",
  ],
  [
    "a post that is gone, with a word on what that costs",
    200,
    { status: "error", message: "Not found post. No credit was charged" },
    "gone",
  ],
  [
    "a post that does not exist",
    200,
    { status: "error", message: "The video does not exist" },
    "gone",
  ],
  ["a bare word about who we are", 200, { message: "Unauthenticated." }, "provider_key"],
  ["a bare message about the rate", 200, { message: "Too many requests" }, "throttled"],
  ["a bare not found, which may be the route's", 200, { message: "Not found" }, "bad_response"],
  ["a bare not found with 404", 404, { message: "Not found" }, "bad_response"],
  [
    "a post for adults",
    200,
    { status: "error", message: "This video is age restricted, login required" },
    "unsupported",
  ],
  ["a post that is unavailable", 200, { status: "error", message: "Video is unavailable" }, "gone"],
  [
    "a service that is unavailable, in the error shape",
    200,
    { status: "error", message: "Service temporarily unavailable" },
    "bad_response",
  ],
  [
    "a word about a login in the error shape, which may be the post's",
    200,
    { status: "error", message: "Login required" },
    "bad_response",
  ],
  [
    "a post for subscribers, in the error shape",
    200,
    { status: "error", message: "For subscribers of the creator" },
    "bad_response",
  ],
  [
    "a plan that is used up",
    200,
    { message: "Free plan limit reached. Upgrade your subscription." },
    "provider_balance",
  ],
  ["a key, in other words", 200, { error: { message: "Your API key expired" } }, "provider_key"],
  ["a refusal in tikwm's words", 200, { code: -1, msg: "Url parsing is failed!" }, "bad_response"],
  ["an error that nobody knows", 200, { status: "error", message: "Oops" }, "bad_response"],
  ["an error without words", 200, { status: "error" }, "bad_response"],
  ["HTML", 200, undefined, "bad_response"],
  ["401", 401, { message: "no" }, "provider_key"],
  ["403 with a word of the API", 403, { message: "no" }, "provider_key"],
  ["403 of a firewall", 403, undefined, "blocked"],
  ["402", 402, undefined, "provider_balance"],
  ["429", 429, undefined, "throttled"],
  ["500", 500, undefined, "upstream_unavailable"],
  [
    "503 that says not found",
    503,
    { status: "error", message: "Not found post" },
    "upstream_unavailable",
  ],
  ["400", 400, { message: "url is required" }, "bad_response"],
])("%s is the right error", (_what, status, body, code) => {
  expect(find(status, body)).toMatchObject({ code, upstream: "tiklive" });
});

test.each([
  ["a detail", { id: "7345678901234567890", play: "https://x/" }],
  ["a list with a message", { status: "success", message: "OK", videos: [] }],
  ["comments with a message", { message: "success", comments: [] }],
  ["a creator with a message", { message: "success", user: { id: "1" } }],
  ["a detail in an envelope", { message: "success", data: { id: "7345678901234567890" } }],
  ["an empty object", {}],
  ["a list", []],
])("%s is no error yet", (_what, body) => {
  expect(find(200, body)).toBeNull();
});

test("the wait comes from Retry-After, else from the rate limit's reset", () => {
  expect(find(429, undefined, { "retry-after": "3" })).toMatchObject({ retryAfterMs: 3_000 });
  expect(find(429, undefined, { "x-ratelimit-reset": "9" })).toMatchObject({ retryAfterMs: 9_000 });
  const inAMinute = Math.floor(Date.now() / 1000) + 60;
  const wait = find(429, undefined, { "x-ratelimit-reset": String(inAMinute) })?.retryAfterMs ?? 0;
  expect(wait).toBeGreaterThan(50_000);
  expect(wait).toBeLessThanOrEqual(60_000);
  expect(find(429, undefined, { "x-ratelimit-reset": "soon" })?.retryAfterMs).toBeUndefined();
});

test("the upstream's words stay out of the message", () => {
  const error = find(200, { status: "error", message: "Oops <script> secret-token" });
  expect(error?.message).not.toContain("secret");
});
