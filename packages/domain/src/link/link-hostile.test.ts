import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UnrecoverableError } from "../errors/errors.ts";
import { parseLink } from "./link.ts";
import type { ParsedLink } from "./parsed-link.ts";

const ID = "7345678901234567890";

function parseOrCode(text: string): ParsedLink | { code: string; message: string } {
  try {
    return parseLink(text);
  } catch (error) {
    if (!(error instanceof UnrecoverableError)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** Pieces that attacks are made of, so that random texts come near to what must be refused. */
const lure =
  `https:// http:// // www.tiktok.com vm.tiktok.com tiktok.com evil.io /@a/video/ ${ID} /t/ ZMabc @ :443 .
  \\ # ? share_item_id= item_id= login?redirect_url= https%3A%2F%2F %253A lite.tiktok.com snssdk1233:// aweme/detail/ / \u212a \u3002 [::1] %2e ， 127.0.0.1 en`.split(
    /[ \n]+/,
  );
const piece = fc.oneof(
  fc.constantFrom(...lure, " ", "\t", "\u200b"),
  fc.string({ unit: "binary", maxLength: 6 }),
);
const hostile = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(""));
const CANONICAL =
  /^https:\/\/(www\.tiktok\.com\/(@[\w.-]{0,64}\/(video|photo)\/\d{15,20}|t\/[\w-]{1,40}\/)|lite\.tiktok\.com\/t\/[\w-]{1,40}\/|v[mt]\.tiktok\.com\/[\w-]{1,40}\/)$/;

describe("parseLink on hostile text", () => {
  test("throws nothing but the three codes, and accepts nothing but canonical TikTok links", () => {
    let accepted = 0;
    fc.assert(
      fc.property(hostile, (text) => {
        const parsed = parseOrCode(text);
        if ("code" in parsed) {
          expect(["invalid_link", "not_a_post", "unsupported"]).toContain(parsed.code);
          return;
        }
        accepted++;
        expect(parsed.url).toMatch(CANONICAL);
        if (parsed.kind === "post") expect(text).toContain(parsed.awemeId);
      }),
      { numRuns: 5_000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  test("refuses every host in front of a post's path that is not on the list", () => {
    const label = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
    const prefix = fc.constantFrom(
      "",
      "www.tiktok.com.",
      "tiktok.com-",
      "tiktok.com@",
      "xtiktok.com.",
    );
    fc.assert(
      fc.property(prefix, label, fc.constantFrom("io", "com", "test"), (front, name, end) => {
        fc.pre(`${name}.${end}` !== "tiktok.com" && `${name}.${end}` !== "tiktokv.com");
        fc.pre(!/^(ies)?douyin$/.test(name));
        const text = `https://${front}${name}.${end}/@a/video/${ID}`;
        expect(parseOrCode(text)).toMatchObject({ code: "invalid_link" });
      }),
    );
  });

  test("answers at once on the longest texts that invite backtracking", () => {
    const runs = [".", ":", "https://", "/", "@", "a", "(", "%40", "https", "\u200b", "1"];
    for (const run of runs) {
      const text = run.repeat(Math.floor(9_999 / run.length)).slice(0, 9_999) + "!";
      expect(() => parseLink(text)).toThrow(UnrecoverableError);
    }
  }, 2_000);
});
