import { availableParallelism } from "node:os";
import { count, names, variable } from "../variable.ts";

/** What a worker process does, and how much of it at once. */
export const worker = {
  CLIPMILL_QUEUES: variable(
    names(["io", "gpu", "cpu", "llm"]).default(["io", "gpu", "cpu", "llm"]),
    "Queues that a worker drains.",
  ),
  CLIPMILL_ROLES: variable(
    names(["dispatch", "reconcile", "work"]).default(["dispatch", "reconcile", "work"]),
    "What a worker process does.",
  ),
  IO_CONCURRENCY: variable(
    count.default(20),
    "Downloads and calls at once per worker. TikLiveAPI starts to answer 429 above about 50 a second.",
  ),
  GPU_CONCURRENCY: variable(count.default(1), "Recognitions at once per worker: one per GPU."),
  CPU_CONCURRENCY: variable(
    count.default(availableParallelism()),
    "ffmpeg and OCR children at once per worker; the default is the number of cores, since they step back for everything else. The queue `cpu` has eight jobs for each, 16 at least: they wait for their turn, and short clips that wait share an ffmpeg.",
  ),
  LLM_CONCURRENCY: variable(count.default(8), "Model calls at once per worker."),
  LEASE_MS: variable(
    count.default(30_000),
    "How long a silent worker keeps its jobs. Too low runs work twice; too high delays recovery.",
  ),
  UPSTREAM_IN_FLIGHT: variable(
    count.default(20),
    "Calls at once to one upstream under one key, over all workers. Downloads from TikTok's CDN and short links have as many each, per machine.",
  ),
} as const;
