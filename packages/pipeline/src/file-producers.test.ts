import {
  type FileProducer,
  KEY_SEPARATOR,
  type PostMedia,
  type PreparedAudio,
  sha256,
} from "@clipmill/domain";
import { expect, test } from "vitest";
import { AUDIO_RECIPE, prepareAudio } from "./cpu/prepare-audio.ts";
import { fileProducers } from "./file-producers.ts";
import { download } from "./io/download/download.ts";

const postId = "7345678901234567890";
const mediaSha256 = sha256("clip");

function toKeys<Field extends string>(
  { key, suffixes = [""] }: FileProducer<Field>,
  row: Record<Field, unknown>,
): string[] {
  const fields = key.map((field) => String(row[field])).join(KEY_SEPARATOR);
  return suffixes.map((suffix) => `${fields}${suffix}`);
}

test("the job that made a file of a post is found by the key that its stage gives it", () => {
  const row: PostMedia = { postId, mediaSha256, role: "video", position: 0 };
  expect(fileProducers.media.stage).toBe(download.name);
  const keyFrom = (...engines: string[]) => download.key({ postId, link: null, engines });
  expect(toKeys(fileProducers.media, row)).toEqual([
    keyFrom("ytdlp"),
    keyFrom("ytdlp", "tiklive@sandbox"),
  ]);
});

test("so is the job that made audio", () => {
  const made = { audioSha256: sha256("wav"), bytes: 1, durationMs: 1 };
  const row: PreparedAudio = { mediaSha256, recipe: AUDIO_RECIPE, ...made };
  expect(fileProducers.audio.stage).toBe(prepareAudio.name);
  expect(toKeys(fileProducers.audio, row)).toEqual([prepareAudio.key({ mediaSha256 })]);
});
