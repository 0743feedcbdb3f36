import { pipelines } from "@clipmill/pipeline";
import { type Recipes, sha256, type Submission } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createStageResults } from "../../support/work/stage-results.ts";
import { toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

const ID = "7345678901234567890";
const FILE = `file-${sha256("clip")}`;
const results = createStageResults(new Map());

let fixture: WorkFixture;
let work: WorkFixture["work"];

beforeEach(async () => {
  fixture = await openWorkFixture(undefined, pipelines);
  ({ work } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

const toRecipes = (...source: string[]): Recipes => ({
  source,
  asr: ["pocketsphinx"],
  ocr: ["tesseract"],
  llm: ["extractive"],
});

/** Asks for the post; the state that its request has at once. */
async function ask(sources: string[], more: Partial<Submission> = {}): Promise<string | undefined> {
  const recipes = toRecipes(...sources);
  const [accepted] = await work.accept([toSubmission(ID, { recipes, ...more })]);
  return accepted?.state;
}

async function run(queue: "io" | "cpu" | "gpu" | "llm"): Promise<void> {
  await work.settle((await fixture.claimAll(queue)).map((job) => results.toDone(job)));
}

async function runAll(): Promise<void> {
  for (const queue of ["io", "cpu", "gpu", "llm"] as const) await run(queue);
}

async function say(code: "gone" | "private"): Promise<void> {
  await work.settle(
    (await fixture.claimAll("io")).map(({ id, epoch }) => {
      return { id, epoch, kind: "skipped" as const, code, message: "not there", upstream: null };
    }),
  );
}

describe("what is remembered about a post", () => {
  test("answers those who ask a real source, whichever it was", async () => {
    expect(await ask(["ytdlp"])).toBe("open");
    await runAll();
    expect(await ask(["ytdlp"])).toBe("done");
    expect(await ask(["tiklive", "ytdlp"])).toBe("done");
  });

  test("by the sandbox answers nobody who asks a real source, and the other way round", async () => {
    await ask(["tiklive@sandbox"]);
    await runAll();
    expect(await ask(["tiklive@sandbox"])).toBe("done");
    expect(await ask(["ytdlp", "tiklive@sandbox"])).toBe("done");
    expect(await ask(["tiklive"])).toBe("open");
    await runAll();
    expect(await ask(["tiklive"])).toBe("done");
    expect(await ask(["tiklive@sandbox"])).toBe("done");
  });

  test("is not shared by requests that wait at the same time, either", async () => {
    await ask(["tiklive@sandbox"]);
    await ask(["tiklive"]);
    const jobs = await fixture.claimAll("io");
    expect(jobs.map(({ key }) => key)).toEqual([`${ID}@sandbox`, ID]);
  });

  test("being gone is what one source said, and another one is asked at once", async () => {
    await ask(["tiklive@sandbox"]);
    await say("gone");
    expect(await ask(["tiklive@sandbox"])).toBe("skipped");
    expect(await ask(["ytdlp"])).toBe("open");
    await say("private");
    expect(await ask(["ytdlp"])).toBe("skipped");
    expect(await ask(["ytdlp", "tiklive"])).toBe("open");
    await say("gone");
    expect(await ask(["tiklive"])).toBe("skipped");
  });

  test("behind a short link is known to the sandbox and to TikTok apart", async () => {
    const link = "https://vm.tiktok.com/ZM0000001/";
    const short = { link, postId: null };
    await ask(["tiklive@sandbox"], short);
    await say("gone");
    expect(await ask(["tiklive@sandbox"], short)).toBe("skipped");
    expect(await ask(["tiklive"], short)).toBe("open");
  });

  test("that a file brought along belongs to the file alone", async () => {
    const file = { link: "file:clip.mp4", postId: FILE };
    await ask(["file"], file);
    await runAll();
    expect(await ask(["file"], file)).toBe("done");
    expect(await ask(["tiklive"])).toBe("open");
  });

  test.each([["file"], ["tiklive@sandbox"]])(
    "as an earlier version stored it, under the id alone and made by %s, answers nobody",
    async (engine) => {
      await ask([engine]);
      await runAll();
      await fixture.rows("update stage_job set key = $1 where stage = 'download'", [ID]);
      expect(await ask(["tiklive"])).toBe("open");
      const jobs = await fixture.claimAll("io");
      expect(jobs).toMatchObject([{ key: ID, input: { engines: ["tiklive"] } }]);
    },
  );
});
