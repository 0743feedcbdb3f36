import { setTimeout as sleep } from "node:timers/promises";
import { median, percentile } from "../support/stats.ts";

export interface GpuUse {
  /** Clips that were heard. */
  clips: number;
  /** The share of the time between the first request and the last answer in which the GPU had nothing to do, 0 to 1. */
  idleShare: number;
  /** From one answer until the next request had come, p50 over all pairs; 0 where that had come before. */
  waitMsP50: number;
  /** p95 of the same: where the idle time comes from, if not from each pair. */
  waitMsP95: number;
}

const NOTHING: GpuUse = {
  clips: 0,
  idleShare: Number.NaN,
  waitMsP50: Number.NaN,
  waitMsP95: Number.NaN,
};

export interface GpuTurn {
  untilDone(): Promise<void>;
  /** To be called where the answer goes out. */
  end(): void;
}

/**
 * One GPU, which does one clip at a time: whoever comes while it is at work waits. It keeps its own time, so that a timer
 * of ours that is late makes it neither busier nor idler.
 */
export function createOneGpu(now: () => number = () => performance.now()) {
  let runs: { arrivedAt: number; from: number; to: number; answeredAt: number }[] = [];
  let freeAt = 0;
  return {
    /** A request has come in whole. */
    begin(ms: number): GpuTurn {
      const arrivedAt = now();
      const from = Math.max(arrivedAt, freeAt);
      const to = from + ms;
      freeAt = to;
      const turn = { arrivedAt, from, to, answeredAt: Number.NaN };
      runs.push(turn);
      return {
        async untilDone() {
          const leftMs = to - now();
          if (leftMs > 0) await sleep(leftMs);
        },
        end() {
          turn.answeredAt = now();
        },
      };
    },
    reset(): void {
      runs = [];
      freeAt = 0;
    },
    read(): GpuUse {
      const [first] = runs;
      if (first === undefined) return NOTHING;
      const endedAt = Math.max(...runs.map(({ answeredAt, to }) => Math.max(answeredAt, to)));
      const busyMs = runs.reduce((sum, { from, to }) => sum + to - from, 0);
      const waits = runs
        .slice(1)
        .map(({ arrivedAt }, i) => Math.max(0, arrivedAt - (runs[i]?.answeredAt ?? arrivedAt)));
      return {
        clips: runs.length,
        idleShare: 1 - busyMs / (endedAt - first.arrivedAt),
        waitMsP50: waits.length === 0 ? Number.NaN : median(waits),
        waitMsP95: waits.length === 0 ? Number.NaN : percentile(waits, 0.95),
      };
    },
  };
}
