import { expect, test } from "vitest";
import { newPresignedLinks } from "./presigned-links.ts";

function toParts(link: string): { token: string; name: string; expires: string } {
  const url = new URL(link);
  const [, , token = "", name = ""] = url.pathname.split("/");
  return { token, name, expires: url.searchParams.get("x-expires") ?? "" };
}

test("a link is valid until its moment and expired from then on", () => {
  let now = 1_000_000;
  const links = newPresignedLinks({ ttlMs: 60_000, now: () => now });
  const { token, name, expires } = toParts(links.toLink("http://127.0.0.1:1", "a.mp4"));
  now += 59_999;
  expect(links.check(name, token, expires)).toBe("valid");
  now += 1;
  expect(links.check(name, token, expires)).toBe("expired");
});

test("another name, another moment and another sandbox's signature are forged", () => {
  const options = { ttlMs: 60_000, now: () => 1_000_000 };
  const links = newPresignedLinks(options);
  const { token, name, expires } = toParts(links.toLink("http://127.0.0.1:1", "a.mp4"));
  expect(links.check("b.mp4", token, expires)).toBe("forged");
  expect(links.check(name, token, String(Number(expires) + 1))).toBe("forged");
  expect(newPresignedLinks(options).check(name, token, expires)).toBe("forged");
});
