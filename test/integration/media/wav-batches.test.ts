import { createHash } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readPlain } from "../../../packages/providers/src/media/tracks.ts";
import { runFfmpeg } from "../../../packages/providers/src/media/run-ffmpeg.ts";
import {
  FROM_THE_FILES_START,
  toWavOptions,
} from "../../../packages/providers/src/media/wav/to-wav.ts";
import {
  createWavBatches,
  type WavBatchOptions,
  type WavClip,
} from "../../../packages/providers/src/media/wav/wav-batches.ts";
import { createTurns, type Turns } from "../../../packages/providers/src/programs/turns.ts";
import { hasEncoder, hasFfmpeg } from "../../support/posts/media-fixtures.ts";
import { CLIPS, MAX_SECONDS } from "../../support/posts/wav-clips.ts";

const { signal } = new AbortController();
const WAIT = { timeout: 20_000, interval: 20 };

describe.skipIf(!hasFfmpeg || !hasEncoder("libx264"))("clips that wait (needs ffmpeg)", () => {
  let directory: string;
  let ffmpegPath: string;
  const at = (name: string) => join(directory, name);
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-batches-"));
    for (const [name, { make }] of Object.entries(CLIPS)) make(at(name));
    // In the middle of the file, where no header is.
    const damaged = await readFile(at("stereo.m4a"));
    damaged.fill(0xa5, damaged.length / 2, damaged.length / 2 + 300);
    await writeFile(at("damaged.m4a"), damaged);
    CLIPS["damaged.m4a"] = { track: 0, make: () => {} };
    // ffmpeg, but it tells how it is called, and goes wrong at the names of some files.
    ffmpegPath = at("ffmpeg");
    const script = `#!/bin/sh
inputs=0
for each in "$@"; do [ "$each" = -i ] && inputs=$((inputs + 1)); done
echo "$$ $inputs" >> "${directory}/calls"
case "$*" in *poison*) kill -9 $$ ;; *hang*) exec sleep 600 ;; esac
[ -e "${directory}/lazy" ] && [ "$inputs" -gt 1 ] && exit 0
exec ffmpeg "$@"
`;
    await writeFile(ffmpegPath, script);
    await chmod(ffmpegPath, 0o755);
  });
  afterAll(() => rm(directory, { recursive: true }));

  beforeEach(async () => {
    await writeFile(at("calls"), "");
  });
  afterEach(() => rm(at("lazy"), { force: true }));

  /** Of each call of ffmpeg in order: its process id, and how many files it was given. */
  async function readCalls(): Promise<{ pids: number[]; inputs: number[] }> {
    const lines = (await readFile(at("calls"), "utf8")).trim().split("\n").filter(Boolean);
    const column = (index: number) => lines.map((line) => Number(line.split(" ")[index]));
    return { pids: column(0), inputs: column(1) };
  }

  async function toClip(name: string, to: string, more: Partial<WavClip> = {}): Promise<WavClip> {
    const input = {
      path: at(name),
      format: (await readPlain(at(name))).format,
      options: FROM_THE_FILES_START,
    };
    const output = {
      options: toWavOptions(name === "other.m4a" ? 7 : (CLIPS[name]?.track ?? 0), MAX_SECONDS),
      target: at(to),
    };
    return { input, output, seconds: 3, bytes: (await stat(at(name))).size, ...more };
  }

  const toHash = async (wav: string) =>
    createHash("sha256")
      .update(await readFile(at(wav)))
      .digest("hex");

  /** The hash of the WAV that a call for this clip alone makes. */
  async function makeAlone(name: string): Promise<string> {
    const { input, output } = await toClip(name, "alone.wav");
    await runFfmpeg(input, [output], { ffmpegPath: "ffmpeg", signal });
    return await toHash("alone.wav");
  }

  /** Has everybody wait until it is let go. */
  function holdTurn(turns: Turns): () => void {
    const held = Promise.withResolvers<void>();
    void turns.run({ signal }, () => held.promise);
    return held.resolve;
  }

  function createBatches(limits: Pick<WavBatchOptions, "togetherMs" | "gatherMs"> = {}) {
    const turns = createTurns(1);
    return { turns, batches: createWavBatches({ ffmpegPath, turns, gatherMs: 0, ...limits }) };
  }

  /** How each of these ends, made in one batch: its hash, or its error. */
  async function makeTogether(names: readonly string[], togetherMs = 30_000) {
    const { turns, batches } = createBatches({ togetherMs });
    const clips = await Promise.all(names.map((name, index) => toClip(name, `${index}.wav`)));
    const letGo = holdTurn(turns);
    const ends = clips.map(async (clip, index) => {
      try {
        await batches.decode(clip, { signal });
        return await toHash(`${index}.wav`);
      } catch (error) {
        return error;
      }
    });
    letGo();
    return await Promise.all(ends);
  }

  test("share one ffmpeg, and each WAV is that of a call of its own, byte for byte", async () => {
    const names = Object.keys(CLIPS);
    expect(names).toContain("damaged.m4a");
    const alone: string[] = [];
    for (const name of names) alone.push(await makeAlone(name));
    expect(new Set(alone).size).toBe(names.length);
    expect(await makeTogether(names)).toEqual(alone);
    expect((await readCalls()).inputs).toEqual([8, names.length - 8]);
  });

  test("go at once, and alone, while there is a turn", async () => {
    const { batches } = createBatches();
    await batches.decode(await toClip("tone.m4a", "out.wav"), { signal, onWait: () => () => {} });
    expect(await toHash("out.wav")).toBe(await makeAlone("tone.m4a"));
    expect((await readCalls()).inputs).toEqual([1]);
  });

  test("are 8 at most, and no more than ten minutes and 100 MB together", async () => {
    const { turns, batches } = createBatches();
    const make = async (many: Partial<WavClip>[]) => {
      await writeFile(at("calls"), "");
      const clips = await Promise.all(
        many.map((more, index) => toClip("tone.wav", `${index}.wav`, more)),
      );
      const letGo = holdTurn(turns);
      const made = clips.map((clip) => batches.decode(clip, { signal }));
      letGo();
      await Promise.all(made);
      return (await readCalls()).inputs;
    };
    expect(await make(Array.from({ length: 18 }, () => ({})))).toEqual([8, 8, 2]);
    expect(await make(Array.from({ length: 6 }, () => ({ seconds: 120 })))).toEqual([5, 1]);
    expect(await make([{}, { bytes: 90_000_000 }, { bytes: 20_000_000 }])).toEqual([2, 1]);
  });

  test("gather after a batch that was shared, until the next one is full", async () => {
    const { turns, batches } = createBatches({ gatherMs: 600_000 });
    const clips = await Promise.all(
      Array.from({ length: 10 }, (_, index) => toClip("tone.wav", `${index}.wav`)),
    );
    const decode = (clip: WavClip) => batches.decode(clip, { signal });
    const letGo = holdTurn(turns);
    const shared = clips.slice(0, 2).map(decode);
    letGo();
    await Promise.all(shared);
    const gathered: Promise<void>[] = [];
    for (const clip of clips.slice(2)) {
      gathered.push(decode(clip));
      // Time enough for a turn that nobody has.
      await new Promise((done) => setImmediate(done));
    }
    await Promise.all(gathered);
    expect((await readCalls()).inputs).toEqual([2, 8]);
  });

  test("count their wait as one, and not the work", async () => {
    const { turns, batches } = createBatches();
    const events: string[] = [];
    const clip = await toClip("tone.wav", "out.wav");
    const letGo = holdTurn(turns);
    const onWait = () => {
      events.push("waits");
      return () => void events.push("has waited");
    };
    const made = batches.decode(clip, { signal, onWait });
    expect(events).toEqual(["waits"]);
    letGo();
    await expect.poll(() => events).toEqual(["waits", "has waited"]);
    await made;
    expect(events).toHaveLength(2);
  });

  test.each([
    ["one at which ffmpeg ends with an error", "other.m4a", "corrupt_media"],
    ["one that kills ffmpeg", "poison.m4a", "engine_failed"],
  ])("do not fail with %s among them", async (_what, bad, code) => {
    await writeFile(at(bad), await readFile(at("tone.m4a")));
    const alone = [await makeAlone("tone.m4a"), await makeAlone("clip.mp4")];
    const [first, error, last] = await makeTogether(["tone.m4a", bad, "clip.mp4"]);
    expect([first, last]).toEqual(alone);
    expect(error).toMatchObject({ code });
    expect((await readCalls()).inputs).toEqual([3, 1, 1, 1]);
  });

  test("are made again singly where a WAV is missing", async () => {
    await writeFile(at("lazy"), "");
    const names = ["tone.m4a", "clip.mp4"];
    const alone = [await makeAlone("tone.m4a"), await makeAlone("clip.mp4")];
    await rm(at("0.wav"), { force: true });
    await rm(at("1.wav"), { force: true });
    expect(await makeTogether(names)).toEqual(alone);
    expect((await readCalls()).inputs).toEqual([2, 1, 1]);
  });

  test("do not hang with one among them at which ffmpeg hangs", async () => {
    await writeFile(at("hang.m4a"), await readFile(at("tone.m4a")));
    const { turns, batches } = createBatches({ togetherMs: 500 });
    const [goodClip, hangingClip] = [
      await toClip("tone.m4a", "good.wav"),
      await toClip("hang.m4a", "hang.wav"),
    ];
    const letGo = holdTurn(turns);
    const stage = new AbortController();
    const good = batches.decode(goodClip, { signal });
    const hanging = batches.decode(hangingClip, { signal: stage.signal });
    hanging.catch(() => {});
    letGo();
    await good;
    expect(await toHash("good.wav")).toBe(await makeAlone("tone.m4a"));
    await expect.poll(async () => (await readCalls()).inputs, WAIT).toEqual([2, 1, 1]);
    // Its own limit ends it.
    stage.abort(new Error("over its limit"));
    await expect(hanging).rejects.toThrow("over its limit");
  });

  test("leave the others when they are given up: before their turn, and in the middle", async () => {
    await writeFile(at("hang.m4a"), await readFile(at("tone.m4a")));
    const { turns, batches } = createBatches();
    const clips = await Promise.all([
      toClip("tone.m4a", "good.wav"),
      toClip("tone.m4a", "early.wav"),
      toClip("hang.m4a", "late.wav"),
    ]);
    const letGo = holdTurn(turns);
    const [early, late] = [new AbortController(), new AbortController()];
    const signals = [signal, early.signal, late.signal];
    const ends = clips.map((clip, index) =>
      batches.decode(clip, { signal: signals[index] ?? signal }),
    );
    for (const end of ends) end.catch(() => {});
    early.abort(new Error("lease lost"));
    await expect(ends[1]).rejects.toThrow("lease lost");
    letGo();
    await expect.poll(async () => (await readCalls()).inputs, WAIT).toEqual([2]);
    late.abort(new Error("lease lost too"));
    await expect(ends[2]).rejects.toThrow("lease lost too");
    await ends[0];
    expect(await toHash("good.wav")).toBe(await makeAlone("tone.m4a"));
  });

  test("that are all given up end their ffmpeg before they settle", async () => {
    await writeFile(at("hang.m4a"), await readFile(at("tone.m4a")));
    const { turns, batches } = createBatches();
    const letGo = holdTurn(turns);
    const stop = new AbortController();
    const clips = await Promise.all([toClip("hang.m4a", "a.wav"), toClip("tone.m4a", "b.wav")]);
    const ends = clips.map((clip) => batches.decode(clip, { signal: stop.signal }));
    for (const end of ends) end.catch(() => {});
    letGo();
    await expect.poll(async () => (await readCalls()).inputs, WAIT).toEqual([2]);
    const { pids } = await readCalls();
    expect(process.kill(pids[0] ?? 0, 0)).toBe(true);
    stop.abort(new Error("shutdown"));
    for (const end of ends) await expect(end).rejects.toThrow("shutdown");
    expect(() => process.kill(pids[0] ?? 0, 0)).toThrow("ESRCH");
    expect((await readCalls()).inputs).toEqual([2]);
  });
});
