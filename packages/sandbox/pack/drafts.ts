import type { SamplePost } from "../src/sample-posts.ts";

/** What the person who writes a sample post decides; the rest of its manifest entry is measured while it is rendered. */
export type Draft = Omit<SamplePost, "url" | "durationMs" | "files" | "words" | "segments"> & {
  picture:
    | { kind: "none" }
    /** A plain colour with `screenLines` and, over speech, captions. */
    | { kind: "captions"; colour: string }
    /** Moving colours without a word. */
    | { kind: "gradient" }
    /** One still image per screen line. */
    | { kind: "slides"; colours: readonly string[] };
  sound:
    | { kind: "none" }
    | { kind: "music"; seconds: number }
    /** `voice` is one of flite's: awb and rms are what pocketsphinx hears best. */
    | { kind: "speech"; voice: "awb" | "rms"; sentences: readonly string[] };
};

const SOURCE_STAGES = ["download", "summarize"];
const SPEECH = {
  outcome: "done",
  sources: ["transcript"],
  simulated: SOURCE_STAGES,
  simulatedWithoutAsr: ["download", "transcribe", "summarize"],
} as const;
const SKIPPED = { outcome: "skipped", simulated: [], simulatedWithoutAsr: [] } as const;
const WORDLESS = { ...SPEECH, sources: ["metadata"] } as const;

const coffee = {
  id: "6800000000000000011",
  uniqueId: "demo_coffee",
  nickname: "Demo Coffee",
  followerCount: 48_200,
};

const readerOne = { uniqueId: "demo_reader_one", nickname: "Reader One" };
const readerTwo = { uniqueId: "demo_reader_two", nickname: "Reader Two" };
const readerThree = { uniqueId: "demo_reader_three", nickname: "Reader Three" };

/** An original sound, as every speech clip has one. */
function originalSound(id: string, author: string) {
  return { id, title: `original sound - ${author}`, author, original: true };
}

export const drafts: readonly Draft[] = [
  {
    id: "7000000000000000001",
    kind: "speech",
    shortCode: "ZTdemo001",
    creator: coffee,
    title: "Better coffee in four minutes #coffee #demo",
    region: "GB",
    music: originalSound("7000000000000000101", "demo_coffee"),
    counters: toCounters({ plays: 182_400, likes: 21_340, comments: 3, shares: 812 }),
    screenLines: ["BETTER COFFEE"],
    comments: [
      {
        id: "7000000000000001001",
        text: "The four minutes make all the difference.",
        likes: 120,
        author: readerOne,
        replies: [
          {
            id: "7000000000000001011",
            text: "Try five for a dark roast.",
            likes: 14,
            author: { uniqueId: coffee.uniqueId, nickname: coffee.nickname },
          },
          {
            id: "7000000000000001012",
            text: "Five was too bitter for me.",
            likes: 2,
            author: readerTwo,
          },
        ],
      },
      {
        id: "7000000000000001002",
        text: "What water do you use?",
        likes: 8,
        author: readerTwo,
        replies: [],
      },
      {
        id: "7000000000000001003",
        text: "Shared it with a friend, as told.",
        likes: 31,
        author: readerThree,
        replies: [],
      },
    ],
    quirks: [],
    faults: [],
    expect: SPEECH,
    picture: { kind: "captions", colour: "0x3b2416" },
    sound: {
      kind: "speech",
      voice: "awb",
      sentences: [
        "hello everyone.",
        "good coffee starts with fresh water and clean equipment.",
        "let it stand for four minutes before you drink it.",
        "and do not forget to share it with a friend.",
      ],
    },
  },
  {
    id: "7000000000000000002",
    kind: "speech",
    shortCode: "ZTdemo002",
    creator: {
      id: "6800000000000000021",
      uniqueId: "demo_travel",
      nickname: "Demo Travel",
      followerCount: null,
    },
    title: "Cheap trains, long rides #travel #demo",
    region: "GB",
    music: originalSound("7000000000000000102", "demo_travel"),
    counters: toCounters({ plays: 64_010, likes: 5_120, comments: 0, shares: 440 }),
    screenLines: ["CHEAP TRAINS"],
    comments: [],
    quirks: ["opaque-aweme-id", "no-follower-count"],
    faults: [],
    expect: SPEECH,
    picture: { kind: "captions", colour: "0x12324a" },
    sound: {
      kind: "speech",
      voice: "awb",
      sentences: [
        "save money on your next trip.",
        "the train is cheap two weeks early.",
        "the price is low on monday morning.",
        "take some food and water with you for the long ride home.",
      ],
    },
  },
  {
    id: "7000000000000000003",
    kind: "screen-text",
    shortCode: "ZTdemo003",
    creator: {
      id: "6800000000000000031",
      uniqueId: "demo_stretch",
      nickname: "Demo Stretch",
      followerCount: 910,
    },
    title: null,
    region: null,
    music: null,
    counters: { plays: 9_300, likes: 702, comments: 0, shares: 51, downloads: 3, collects: 288 },
    screenLines: [
      "THREE STRETCHES FOR YOUR BACK",
      "HOLD EACH ONE FOR THIRTY SECONDS",
      "BREATHE SLOWLY AND RELAX",
    ],
    comments: [],
    quirks: ["string-counters"],
    faults: [],
    expect: { ...WORDLESS, simulatedWithoutAsr: SOURCE_STAGES },
    picture: { kind: "captions", colour: "0x1d4030" },
    sound: { kind: "none" },
  },
  {
    id: "7000000000000000004",
    kind: "music",
    shortCode: "ZTdemo004",
    creator: {
      id: "6800000000000000041",
      uniqueId: "demo_loops",
      nickname: "Demo Loops",
      followerCount: 12_050,
    },
    title: "Evening loop #synth #demo",
    region: "US",
    music: {
      id: "6900000000000000204",
      title: "Evening Loop",
      author: "The Sine Waves",
      original: false,
    },
    counters: toCounters({ plays: 33_150, likes: 2_480, comments: 0, shares: 120 }),
    screenLines: [],
    comments: [],
    quirks: ["number-id"],
    faults: [],
    expect: WORDLESS,
    picture: { kind: "gradient" },
    sound: { kind: "music", seconds: 7 },
  },
  {
    id: "7000000000000000005",
    kind: "slideshow",
    shortCode: "ZTdemo005",
    creator: {
      id: "6800000000000000051",
      uniqueId: "demo_recipes",
      nickname: "Demo Recipes",
      followerCount: 77_000,
    },
    title: "Flat bread with three things #recipe #demo",
    region: "DE",
    music: {
      id: "6900000000000000205",
      title: "Kitchen Tune",
      author: "The Sine Waves",
      original: false,
    },
    counters: toCounters({ plays: 120_900, likes: 15_800, comments: 0, shares: 2_300 }),
    screenLines: ["MIX FLOUR WATER AND SALT", "ROLL IT THIN", "BAKE FOR TEN MINUTES"],
    comments: [],
    quirks: ["opaque-aweme-id"],
    faults: [],
    expect: WORDLESS,
    picture: { kind: "slides", colours: ["0x4a2f12", "0x12324a", "0x4a1220"] },
    sound: { kind: "music", seconds: 6 },
  },
  {
    ...withoutContent("7000000000000000006", "private", "demo_hidden", "ZTdemo006"),
    expect: { ...SKIPPED, code: "private" },
  },
  {
    ...withoutContent("7000000000000000007", "deleted", "demo_gone", "ZTdemo007"),
    expect: { ...SKIPPED, code: "gone" },
  },
  {
    id: "7000000000000000008",
    kind: "speech",
    shortCode: "ZTdemo008",
    creator: coffee,
    title: "My window garden #plants #demo",
    region: "GB",
    music: originalSound("7000000000000000108", "demo_coffee"),
    counters: { plays: 27_700, likes: 3_105, comments: 0, shares: 96, downloads: 7, collects: 730 },
    screenLines: ["HOUSE PLANTS"],
    comments: [],
    quirks: [],
    // The post that is throttled first and works afterwards.
    faults: [{ kind: "rate-limited", match: { route: "post-detail" }, times: 1, retryAfterS: 1 }],
    expect: SPEECH,
    picture: { kind: "captions", colour: "0x1d4030" },
    sound: {
      kind: "speech",
      voice: "rms",
      sentences: [
        "how do you keep your house plants alive.",
        "give them water once a week.",
        "put them near a window.",
        "turn them around every month.",
        "that is all they need.",
      ],
    },
  },
];

/** Downloads and collections follow from the plays: nothing depends on them. */
function toCounters(told: { plays: number; likes: number; comments: number; shares: number }) {
  return { ...told, downloads: told.plays >> 10, collects: told.likes >> 3 };
}

function withoutContent(
  id: string,
  kind: "private" | "deleted",
  uniqueId: string,
  shortCode: string,
): Omit<Draft, "expect"> {
  return {
    id,
    kind,
    shortCode,
    creator: {
      id: `68000000000000000${id.slice(-2)}`,
      uniqueId,
      nickname: uniqueId,
      followerCount: null,
    },
    title: null,
    region: null,
    music: null,
    counters: toCounters({ plays: 0, likes: 0, comments: 0, shares: 0 }),
    screenLines: [],
    comments: [],
    quirks: [],
    faults: [],
    picture: { kind: "none" },
    sound: { kind: "none" },
  };
}
