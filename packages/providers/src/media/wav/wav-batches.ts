import { stat } from "node:fs/promises";
import type { WaitOptions } from "@clipmill/domain";
import type { Turns } from "../../programs/turns.ts";
import { type FfmpegInput, type FfmpegOutput, runFfmpeg } from "../run-ffmpeg.ts";
import { WAV_HEADER_BYTES } from "./wav-level.ts";

/** A clip, and the WAV that is to be made of it. */
export interface WavClip {
  input: FfmpegInput;
  /** Its tracks are those of a first input. */
  output: FfmpegOutput;
  /** As the file claims it. */
  seconds: number;
  bytes: number;
}

/**
 * Makes WAVs of short clips. Half or more of what a clip of 12 s costs is the start of ffmpeg (80 ms of 110 with Debian's,
 * which loads two hundred libraries), so those that wait for a turn at the same time share one. A clip for which there is a
 * turn goes alone, at once. Where ffmpeg fails at clips together, each is made again singly.
 */
export interface WavBatches {
  /** Rejects as `runFfmpeg` does for this clip alone. It settles only once its files are not in use any more. */
  decode(clip: WavClip, wait: WaitOptions): Promise<void>;
}

/**
 * Of one batch: a fraction of a second of work, as long as it is nobody's fault that it takes longer. More clips cost more
 * each: ffmpeg looks at all of them before each packet (24 ms of CPU a clip of 12 s by eight, 28 by sixteen, 77 alone).
 */
const MAX_CLIPS = 8;
const MAX_SECONDS = 600;
const MAX_BYTES = 100_000_000;

export interface WavBatchOptions {
  ffmpegPath: string;
  turns: Turns;
  /** A clip at which ffmpeg hangs holds the others of its batch for so long, and then itself alone. Default 30 s. */
  togetherMs?: number;
  /** How long a batch gathers after one that was shared, from when that one began. Default 300 ms. */
  gatherMs?: number;
}

/** See `WavBatchOptions.gatherMs`. A batch that is full goes at once, and so does a clip after one that was alone. */
const GATHER_MS = 300;

/** Packets that may be read ahead of each clip: with ffmpeg's 8, its threads wake each other all the time. */
const READ_AHEAD = ["-thread_queue_size", "512"];

/** A clip that is given up waits for its batch for so long; a stage has 4 s to end. */
const GIVEN_UP_MS = 2_000;

const NEVER = new AbortController().signal;

interface Waiting extends WavClip {
  wait: WaitOptions;
  /** It waits no more. */
  start(): void;
  settle(result: Promise<unknown>): void;
}

export function createWavBatches(options: WavBatchOptions): WavBatches {
  const { turns, gatherMs = GATHER_MS } = options;
  const waiting = new Set<Waiting>();
  let isNextAsked = false;
  let last = { count: 0, startedAtMs: 0 };
  /** Ends the gathering. */
  let onFull = (): void => {};

  async function gather(): Promise<void> {
    const leftMs = last.startedAtMs + gatherMs - performance.now();
    if (last.count < 2 || leftMs <= 0 || waiting.size >= MAX_CLIPS) return;
    await new Promise<void>((done) => {
      const timer = setTimeout(done, leftMs);
      onFull = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  /** Asks for a turn for all that wait when it comes. */
  async function askForNext(): Promise<void> {
    if (isNextAsked || waiting.size === 0) return;
    isNextAsked = true;
    await gather();
    const batch = await turns.run({ signal: NEVER }, async () => {
      const taken = takeBatch(waiting);
      last = { count: taken.length, startedAtMs: performance.now() };
      isNextAsked = false;
      void askForNext();
      return (await decodeTurn(taken, options)) ? [] : taken;
    });
    for (const clip of batch) clip.settle(decodeAlone(clip, options));
  }

  return {
    async decode(clip, wait) {
      const { signal, onWait } = wait;
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const onAbort = () => {
        waiting.delete(asked);
        asked.start();
        reject(signal.reason as Error);
      };
      const end = onWait?.();
      const start = () => {
        signal.removeEventListener("abort", onAbort);
        end?.();
      };
      const asked: Waiting = { ...clip, wait, start, settle: resolve };
      signal.addEventListener("abort", onAbort, { once: true });
      waiting.add(asked);
      if (waiting.size >= MAX_CLIPS) onFull();
      void askForNext();
      await promise;
    },
  };
}

/** The first that wait, as many as may go together; at least one, if there is one. */
function takeBatch(waiting: Set<Waiting>): Waiting[] {
  const batch: Waiting[] = [];
  let [seconds, bytes] = [0, 0];
  for (const clip of waiting) {
    seconds += clip.seconds;
    bytes += clip.bytes;
    if (batch.length > 0 && (seconds > MAX_SECONDS || bytes > MAX_BYTES)) break;
    waiting.delete(clip);
    clip.start();
    batch.push(clip);
    if (batch.length === MAX_CLIPS) break;
  }
  return batch;
}

/** Whether all have been settled; else each is to be made again. */
async function decodeTurn(batch: readonly Waiting[], options: WavBatchOptions): Promise<boolean> {
  const [first] = batch;
  if (first === undefined) return true;
  if (batch.length > 1) return await decodeTogether(batch, options);
  const { ffmpegPath } = options;
  const { input, output, wait } = first;
  const made = runFfmpeg(input, [output], { ffmpegPath, signal: wait.signal });
  first.settle(made);
  await Promise.allSettled([made]);
  return true;
}

async function decodeAlone(clip: Waiting, { ffmpegPath, turns }: WavBatchOptions): Promise<void> {
  const { input, output, wait } = clip;
  await runFfmpeg(input, [output], { ffmpegPath, turns, ...wait });
}

/** False where anything at all went wrong: which clip it was, a call for each of them tells. */
async function decodeTogether(
  batch: readonly Waiting[],
  { ffmpegPath, togetherMs = 30_000 }: WavBatchOptions,
): Promise<boolean> {
  const signals = batch.map(({ wait }) => wait.signal);
  const giveUp = watchAborts(signals);
  try {
    const outputs = batch.map(({ output }, at) => toOutputOf(at, output));
    const run = { ffmpegPath, signal: giveUp.signal, timeoutMs: togetherMs };
    await runFfmpeg(
      batch.map(({ input }) => ({ ...input, options: [...(input.options ?? []), ...READ_AHEAD] })),
      outputs,
      run,
    );
    const sizes = await Promise.all(batch.map(({ output }) => stat(output.target)));
    if (sizes.some(({ size }) => size <= WAV_HEADER_BYTES)) return false;
  } catch {
    return false;
  } finally {
    giveUp.dispose();
  }
  for (const { settle, wait } of batch)
    settle(wait.signal.aborted ? Promise.reject(wait.signal.reason as Error) : Promise.resolve());
  return true;
}

/** The options of an output for the only input, as those for one of many. */
function toOutputOf(at: number, { options, target }: FfmpegOutput): FfmpegOutput {
  const isMap = (index: number) => options[index - 1] === "-map";
  return {
    target,
    options: options.map((option, index) =>
      isMap(index) ? option.replace(/^0:/, `${at}:`) : option,
    ),
  };
}

/** Aborts when all have, and soon after the first has. */
function watchAborts(signals: readonly AbortSignal[]) {
  const all = new AbortController();
  let late: NodeJS.Timeout | undefined;
  const onAbort = () => {
    if (signals.every(({ aborted }) => aborted)) all.abort();
    else late ??= setTimeout(() => all.abort(), GIVEN_UP_MS);
  };
  for (const signal of signals) signal.addEventListener("abort", onAbort);
  return {
    signal: all.signal,
    dispose() {
      clearTimeout(late);
      for (const signal of signals) signal.removeEventListener("abort", onAbort);
    },
  };
}
