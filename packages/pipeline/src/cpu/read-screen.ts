import {
  defineStage,
  ERROR_CODES,
  hashJson,
  type MediaTools,
  type OcrProvider,
  type ReadLinesOptions,
  type ScreenText,
  screenTextKind,
  Sha256,
  SkipError,
  type Stage,
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
  durationMs: z.number().int(),
  engines: z.array(z.string()),
});

const Output = z.object({
  screenTextKey: z.string(),
  screenHash: Sha256,
  engine: z.string(),
  /** What the engine could not read, as far as it can tell. */
  unread: z.array(Unread).default([]),
});

/** Text stays on screen for seconds, so more frames of a short clip would only repeat it. */
const FRAMES_MAX = 6;
const FRAME_EVERY_MS = 2_000;

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

export function createReadScreen(
  deps: ReadScreenDeps,
): Stage<z.infer<typeof Input>, z.infer<typeof Output>> {
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
      const lines = new Set<string>();
      let unread: Unread[] = [];
      const options = {
        signal: ctx.signal,
        onUnread: () => {
          unread = [TEXT_UNREAD];
        },
      };
      for (const line of await readImages(deps, engine, images, options)) lines.add(line);
      if (video !== null)
        for (const line of await readFrames(deps, engine, video, input.durationMs, options))
          lines.add(line);
      const screenText: ScreenText = {
        key: hashJson({ input, engine: engine.id }),
        hash: hashJson([...lines]),
        imagesHash: hashJson({ images, video }),
        recipe: toRecipeKey(engines),
        engine: engine.id,
        lines: [...lines],
      };
      ctx.log.info({ engine: engine.id, lineCount: lines.size }, "screen read");
      return {
        output: {
          screenTextKey: screenText.key,
          screenHash: screenText.hash,
          engine: engine.id,
          unread,
        },
        records: [screenTextKind.record(screenText)],
      };
    },
  };
}

async function readImages(
  { storage }: ReadScreenDeps,
  engine: OcrProvider,
  images: readonly string[],
  options: ReadLinesOptions,
): Promise<string[]> {
  const { signal } = options;
  const lines: string[] = [];
  for (const sha256 of images) {
    await using image = await storage.openLocal(`media/${sha256}`, { signal });
    lines.push(...(await engine.readLines(image.path, options)));
  }
  return lines;
}

async function readFrames(
  { storage, media }: ReadScreenDeps,
  engine: OcrProvider,
  video: string,
  durationMs: number,
  options: ReadLinesOptions,
): Promise<string[]> {
  const { signal } = options;
  await using file = await storage.openLocal(`media/${video}`, { signal });
  await using scratch = await storage.createScratch();
  const count = Math.max(1, Math.min(FRAMES_MAX, Math.ceil(durationMs / FRAME_EVERY_MS)));
  const lines: string[] = [];
  for (const frame of await media.toFrames(file.path, scratch.path, {
    signal,
    count,
    durationMs,
  })) {
    lines.push(...(await engine.readLines(frame, options)));
  }
  return lines;
}
