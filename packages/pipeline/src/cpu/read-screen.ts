import { join } from "node:path";
import {
  ClipmillError,
  defineStage,
  ERROR_CODES,
  type ErrorCode,
  hashJson,
  type MediaTools,
  type OcrProvider,
  type ReadLinesOptions,
  type ScreenText,
  screenTextKind,
  Sha256,
  SkipError,
  type Stage,
  type StageContext,
  type Storage,
  toRecipeKey,
  Unread,
} from "@clipmill/domain";
import { z } from "zod";
import { chooseEngine } from "../engines/choose-engine.ts";
import { hasBetterEngine } from "../engines/rerun.ts";

const Input = z.object({
  /** Slides in order, or the cover. */
  images: z.array(Sha256),
  /** If there is a video, its frames are read as well. */
  video: Sha256.nullable(),
  /** Only part of the key, so that what earlier versions read is found: where frames lie is measured. */
  durationMs: z.number().int(),
  engines: z.array(z.string()),
});

const Output = z.object({
  /** Null where nothing at all could be read. */
  screenTextKey: z.string().nullable(),
  screenHash: Sha256.nullable(),
  engine: z.string(),
  /** Pictures, and text in them, that are there and could not be read. */
  unread: z.array(Unread).default([]),
});
type Output = z.infer<typeof Output>;

/** Text stays on screen for seconds, so more frames of a short clip would only repeat it. */
const FRAMES_MAX = 6;
const FRAME_EVERY_MS = 2_000;

/** What is wrong with one picture alone: the others may be read all the same. */
const OF_ONE_PICTURE: readonly ErrorCode[] = ["unsupported", "corrupt_media", "too_large"];

const TEXT_UNREAD: Unread = {
  part: "pictures",
  code: "unread_text",
  message: ERROR_CODES.unread_text.title,
};

/** Reads the text in the pictures. Runs only for posts without speech. */
export const readScreen = defineStage({
  name: "read-screen",
  queue: "cpu",
  input: Input,
  output: Output,
  attempts: 3,
  timeoutMs: 300_000,
  key: (input) => hashJson(input),
  produces: [screenTextKind],
  // An OCR engine may have been installed since then.
  rerun: (end) =>
    (end.end.state === "skipped" && end.end.code === "no_ocr_engine") || hasBetterEngine(end),
});

export interface ReadScreenDeps {
  ocr: readonly OcrProvider[];
  storage: Storage;
  media: MediaTools;
}

export function createReadScreen(deps: ReadScreenDeps): Stage<z.infer<typeof Input>, Output> {
  return {
    ...readScreen,
    async run(input, ctx) {
      const { images, video, engines } = input;
      if (images.length === 0 && video === null)
        throw new SkipError("no_pictures", "the post has no picture to read");
      if (!engines.some((id) => deps.ocr.some((engine) => engine.id === id))) {
        throw new SkipError(
          "no_ocr_engine",
          "no OCR engine is installed here: see clipmill doctor",
        );
      }
      const engine = chooseEngine(engines, deps.ocr);
      const { lines, readCount, unread } = await readAll({ ...deps, engine }, input, ctx);
      ctx.log.info(
        { engine: engine.id, lineCount: lines.length, unreadCount: unread.length },
        "screen read",
      );
      if (readCount === 0) {
        const output = { screenTextKey: null, screenHash: null, engine: engine.id, unread };
        return { output, records: [] };
      }
      const screenText: ScreenText = {
        key: hashJson({ input, engine: engine.id }),
        hash: hashJson(lines),
        imagesHash: hashJson({ images, video }),
        recipe: toRecipeKey(engines),
        engine: engine.id,
        lines,
      };
      const { key: screenTextKey, hash: screenHash } = screenText;
      return {
        output: { screenTextKey, screenHash, engine: engine.id, unread },
        records: [screenTextKind.record(screenText)],
      };
    },
  };
}

interface Reading {
  /** Each once, in the order in which they were first seen. */
  lines: string[];
  /** How many pictures and frames were read. */
  readCount: number;
  unread: Unread[];
}

type ReadDeps = Omit<ReadScreenDeps, "ocr"> & { engine: OcrProvider };

/** Slides, cover and frames; what cannot be read is left out, and told once for slides and once for the video. */
async function readAll(
  deps: ReadDeps,
  { images, video }: z.infer<typeof Input>,
  { signal, onWait }: StageContext,
): Promise<Reading> {
  const lines = new Set<string>();
  const unread: Unread[] = [];
  let readCount = 0;
  let hasUnreadText = false;
  const options = {
    signal,
    onWait,
    onUnread: () => {
      hasUnreadText = true;
    },
  };
  const read = async (part: Unread["part"], readLines: () => Promise<string[][]>) => {
    try {
      for (const picture of await readLines()) {
        readCount++;
        for (const line of picture) lines.add(line);
      }
    } catch (error) {
      if (!(error instanceof ClipmillError) || !OF_ONE_PICTURE.includes(error.code)) throw error;
      const { code, message } = error;
      if (!unread.some((one) => one.part === part)) unread.push({ part, code, message });
    }
  };
  for (const sha256 of images) await read("pictures", () => readImage(deps, sha256, options));
  if (video !== null) await read("video", () => readFrames(deps, video, options));
  if (hasUnreadText) unread.push(TEXT_UNREAD);
  return { lines: [...lines], readCount, unread };
}

/** An engine gets one frame of bounded size, whatever the file is: some decode all frames of a file at once. */
async function readImage(
  { storage, media, engine }: ReadDeps,
  sha256: string,
  options: ReadLinesOptions,
): Promise<string[][]> {
  const { signal, onWait } = options;
  await using image = await storage.openLocal(`media/${sha256}`, { signal });
  await using scratch = await storage.createScratch();
  const picturePath = join(scratch.path, "picture.png");
  await media.toPicture(image.path, picturePath, { signal, onWait });
  return [await engine.readLines(picturePath, options)];
}

async function readFrames(
  { storage, media, engine }: ReadDeps,
  video: string,
  options: ReadLinesOptions,
): Promise<string[][]> {
  const { signal, onWait } = options;
  await using file = await storage.openLocal(`media/${video}`, { signal });
  await using scratch = await storage.createScratch();
  const spread = { signal, onWait, maxCount: FRAMES_MAX, everyMs: FRAME_EVERY_MS };
  const read: string[][] = [];
  for (const frame of await media.toFrames(file.path, scratch.path, spread)) {
    read.push(await engine.readLines(frame, options));
  }
  return read;
}
