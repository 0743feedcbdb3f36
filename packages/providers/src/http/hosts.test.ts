import { expect, test } from "vitest";
import { isCdnHost } from "./hosts.ts";

test.each([
  "tiktokcdn.com",
  "v16m.tiktokcdn.com",
  "v19-webapp-prime.tiktok.com",
  "p16-sign.tiktokcdn-us.com",
])("%s is a CDN host", (host) => {
  expect(isCdnHost(host)).toBe(true);
});

test.each([
  "tiktokcdn.com.evil.io",
  "eviltiktokcdn.com",
  "tiktokcdn.com.",
  "127.0.0.1",
  "[::1]",
  "",
  "com",
  ".tiktokcdn.co",
  ".tiktokcdn.com",
  "v16..tiktokcdn.com",
  "evil.io;.tiktokcdn.com",
  "evil.io'.tiktokcdn.com",
  "x.akamaized.net",
])("%j is not", (host) => {
  expect(isCdnHost(host)).toBe(false);
});
