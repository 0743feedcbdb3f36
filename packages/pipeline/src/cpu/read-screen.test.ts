import { join } from "node:path";
import {
  type OcrProvider,
  RetryableError,
  sha256,
  toEngineId,
  UnrecoverableError,
} from "@clipmill/domain";
import { afterEach, expect, test, vi } from "vitest";
import { createReadScreen, type ReadScreenDeps } from "./read-screen.ts";

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log };
const ctx = {
  signal: new AbortController().signal,
  log,
  attempt: 1,
  expiredToken: null,
  now: () => new Date(0),
  pay: <T>(_: unknown, call: () => Promise<T>) => call(),
};
const ENGINE = toEngineId("toy");
const unused = () => Promise.reject(new Error("not part of this test"));

afterEach(() => vi.clearAllMocks());

/** What becomes of a picture or a video on its way to the engine, by its content. */
type Ends = Readonly<Record<string, Error | undefined>>;

async function run(images: string[], video: string | null, ends: Ends = {}) {
  const given: string[] = [];
  const find = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  const decode = (path: string) => {
    const end = ends[find(path)];
    if (end !== undefined) throw end;
  };
  const names = [...images, ...(video === null ? [] : [video])];
  const deps = {
    storage: {
      async openLocal(key: string) {
        const path = `/media/${names.find((name) => key.endsWith(sha256(name)))}`;
        return { path, [Symbol.asyncDispose]: async () => {} };
      },
      async createScratch() {
        return { path: "/scratch", [Symbol.asyncDispose]: async () => {} };
      },
    } as unknown as ReadScreenDeps["storage"],
    media: {
      probe: unused,
      toWav: unused,
      async toPicture(path: string, picturePath: string) {
        decode(path);
        given.push(`${find(path)} ${picturePath}`);
      },
      async toFrames(path: string) {
        decode(path);
        return ["frame-0", "frame-1"];
      },
    },
    ocr: [
      {
        id: ENGINE,
        async readLines(path: string) {
          return path.endsWith("picture.png") ? ["of a picture"] : [`of ${path}`, "of a picture"];
        },
      } satisfies OcrProvider,
    ],
  };
  const stage = createReadScreen(deps);
  const input = {
    images: images.map((name) => sha256(name)),
    video: video === null ? null : sha256(video),
    durationMs: 8_000,
    engines: [ENGINE],
  };
  const result = await stage.run(input, ctx);
  if (!("output" in result)) throw new Error("a wait");
  const [record] = result.records ?? [];
  return {
    ...result.output,
    given,
    lines: (record?.row as { lines: string[] } | undefined)?.lines,
  };
}

const heic = new UnrecoverableError("unsupported", "HEIC");
const broken = new UnrecoverableError("corrupt_media", "no picture");

test("the engine gets a picture that was made of the file, and never the file", async () => {
  const { given, lines, unread } = await run(["slide"], "clip");
  expect(given).toEqual([`slide ${join("/scratch", "picture.png")}`]);
  expect(lines).toEqual(["of a picture", "of frame-0", "of frame-1"]);
  expect(unread).toEqual([]);
});

test("pictures that cannot be decoded are left out and told once, and the others are read", async () => {
  const { lines, unread } = await run(["a", "b", "c"], null, { a: heic, c: broken });
  expect(lines).toEqual(["of a picture"]);
  expect(unread).toEqual([{ part: "pictures", code: "unsupported", message: "HEIC" }]);
});

test("the cover is read where the video cannot be decoded, and that is told", async () => {
  const { lines, unread, screenTextKey } = await run(["cover"], "clip", { clip: heic });
  expect(lines).toEqual(["of a picture"]);
  expect(screenTextKey).not.toBeNull();
  expect(unread).toMatchObject([{ part: "video", code: "unsupported" }]);
});

test("where nothing at all could be read there is no text, not even an empty one", async () => {
  const { lines, unread, screenTextKey } = await run(["cover"], "clip", {
    clip: heic,
    cover: heic,
  });
  expect(screenTextKey).toBeNull();
  expect(lines).toBeUndefined();
  expect(unread).toHaveLength(2);
});

test("what is no fault of the picture is tried again", async () => {
  const crash = new RetryableError("engine_failed", "ffmpeg crashed");
  await expect(run(["a", "b"], null, { a: crash })).rejects.toBe(crash);
});
