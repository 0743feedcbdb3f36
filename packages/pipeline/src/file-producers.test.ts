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

function toKey<Field extends string>(producer: FileProducer<Field>, row: Record<Field, unknown>) {
  return producer.key.map((field) => String(row[field])).join(KEY_SEPARATOR);
}

test("the job that made a file of a post is found by the key that its stage gives it", () => {
  const row: PostMedia = { postId, mediaSha256, role: "video", position: 0 };
  expect(fileProducers.media.stage).toBe(download.name);
  expect(toKey(fileProducers.media, row)).toBe(
    download.key({ postId, link: null, engines: ["ytdlp"] }),
  );
});

test("so is the job that made audio", () => {
  const made = { audioSha256: sha256("wav"), bytes: 1, durationMs: 1 };
  const row: PreparedAudio = { mediaSha256, recipe: AUDIO_RECIPE, ...made };
  expect(fileProducers.audio.stage).toBe(prepareAudio.name);
  expect(toKey(fileProducers.audio, row)).toBe(prepareAudio.key({ mediaSha256 }));
});
