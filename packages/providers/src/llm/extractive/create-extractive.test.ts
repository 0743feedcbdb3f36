import { type Evidence, Summary } from "@clipmill/domain";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createExtractive } from "./create-extractive.ts";
import { toPieces, toPlain } from "./pieces.ts";

const nothing: Evidence = {
  creator: null,
  followerCount: null,
  engagement: { plays: null, likes: null, comments: null, shares: null },
  musicTitle: null,
  musicAuthor: null,
  title: "",
  transcript: null,
  screenLines: [],
  sources: [],
};

async function summarize(evidence: Partial<Evidence>): Promise<Summary> {
  const question = { system: "", user: "", evidence: { ...nothing, ...evidence } };
  const signal = new AbortController().signal;
  return (await createExtractive().summarize(question, { signal })).summary;
}

const LABELS = new Set(
  `title: music: by posted followers of the creator: plays: likes: the post has no title music is not named
  creator is not named`.split(/\s+/),
);

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 400 }),
  fc.string({ unit: "binary", maxLength: 100 }),
  fc
    .array(fc.constantFrom("and", "then", "coffee", "love", "follow", "me", "best.", "。", "，"), {
      maxLength: 120,
    })
    .map((words) => words.join(" ")),
  fc.string({ minLength: 300, maxLength: 400 }).map((long) => long.replace(/\s/g, "x")),
);
const maybe = fc.option(text);
const anyEvidence = fc.record({
  creator: maybe,
  followerCount: fc.option(fc.nat()),
  engagement: fc.record({
    plays: fc.option(fc.nat()),
    likes: fc.option(fc.nat()),
    comments: fc.constant(null),
    shares: fc.constant(null),
  }),
  musicTitle: maybe,
  musicAuthor: maybe,
  title: text,
  transcript: maybe,
  screenLines: fc.array(text, { maxLength: 8 }),
  sources: fc.constant<Evidence["sources"]>([]),
});

test("any evidence gives a valid summary whose takeaways are words of the evidence", async () => {
  await fc.assert(
    fc.asyncProperty(anyEvidence, async (evidence) => {
      const summary = await summarize(evidence);
      expect(Summary.safeParse(summary).error?.issues).toBeUndefined();
      const { engagement, ...rest } = evidence;
      const source = [...Object.values(rest), engagement.plays, engagement.likes]
        .flat()
        .map((value) => toPlain(String(value)))
        .join(" ");
      for (const word of summary.takeaways.join(" ").split(/\s+/u)) {
        const bare = word.replace(/^@/, "").replace(/…$/u, "");
        const isReal = LABELS.has(word.toLowerCase()) || source.includes(bare);
        expect(isReal, `${JSON.stringify(word)} is nowhere in the evidence`).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});

test("the same evidence gives the same summary", async () => {
  const evidence = { transcript: "one two three and four five six because seven", title: "x" };
  expect(await summarize(evidence)).toEqual(await summarize(evidence));
});

describe("a summary", () => {
  test("of speech quotes sentences and takes the speaker's own call", async () => {
    const summary = await summarize({
      transcript:
        "Today I show you how to make coffee. Grind the coffee beans fresh. Never boil the water. Follow me for more coffee.",
    });
    expect(summary.takeaways).toContain("Grind the coffee beans fresh.");
    expect(summary.cta).toBe("Follow me for more coffee.");
  });

  test("of speech without punctuation stays within the limits", async () => {
    const summary = await summarize({ transcript: Array(90).fill("coffee beans").join(" and ") });
    expect(Summary.safeParse(summary).success).toBe(true);
  });

  test("of speech in a script without spaces quotes it, and names its words", async () => {
    const transcript =
      "コーヒーをおいしく淹れるには新鮮な水が大切です。コーヒーは四分待ってから飲みましょう。";
    const summary = await summarize({ transcript });
    expect(transcript).toContain(summary.tldr);
    expect(summary.cta).toContain("コーヒー");
    expect(summary.cta.length).toBeLessThan(60);
  });

  test("of a silent post rests on what is on the screen", async () => {
    const summary = await summarize({ screenLines: ["Five things", "about coffee"] });
    expect(summary.tldr).toBe("On screen: Five things / about coffee");
    expect(summary.takeaways.slice(0, 2)).toEqual(["Five things", "about coffee"]);
  });

  test("of metadata alone says so", async () => {
    const summary = await summarize({
      creator: "@demo",
      musicTitle: "Tones",
      musicAuthor: "Nobody",
    });
    expect(summary.tldr).toMatch(/^Metadata only, no speech or on-screen text\./);
    expect(summary.takeaways).toEqual([
      "Music: Tones by Nobody",
      "Posted by @demo",
      "The post has no title",
    ]);
  });

  test("tells what was not read, and why, from what is not there", async () => {
    const unread = [
      { part: "sound" as const, code: "region_locked" as const, message: "" },
      { part: "video" as const, code: "region_locked" as const, message: "" },
    ];
    const bare = await summarize({ creator: "@demo", unread });
    expect(bare.tldr).toBe(
      "Metadata only. Not read: speech and on-screen text (the video is not served in this region). Posted by @demo",
    );
    const codec = [{ part: "sound" as const, code: "unsupported" as const, message: "" }];
    expect((await summarize({ screenLines: ["Five things"], unread: codec })).tldr).toBe(
      "Not read: speech (it is in a codec that cannot be decoded). On screen: Five things",
    );
    const screen = await summarize({ screenLines: ["Five things"], unread: unread.slice(0, 1) });
    expect(screen.tldr).toBe(
      "Not read: speech (the video is not served in this region). On screen: Five things",
    );
  });

  test("of nothing at all claims nothing", async () => {
    expect((await summarize({})).takeaways).toEqual([
      "The post has no title",
      "The music is not named",
      "The creator is not named",
    ]);
  });
});

test("control characters and bidirectional overrides are dropped", () => {
  expect(toPieces("a\u0000b \u202Egnp.exe\u200B ok")).toEqual(["a b gnp.exe ok"]);
});

test("a call that was cancelled before gives nothing", async () => {
  const question = { system: "", user: "", evidence: nothing };
  const signal = AbortSignal.abort(new Error("shutdown"));
  await expect(createExtractive().summarize(question, { signal })).rejects.toThrow("shutdown");
});
