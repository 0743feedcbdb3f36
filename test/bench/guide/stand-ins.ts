import type { Latencies, StandInArgs, StandInReport } from "../processes/stand-ins.ts";
import { startProcess } from "../support/child.ts";

export type { Latencies, StandInReport } from "../processes/stand-ins.ts";

/** The process that stands in for all other people's machines. */
export interface StandIns {
  readonly url: string;
  readonly pid: number;
  setLatencies(latencies: Latencies): Promise<void>;
  /** Forgets what was counted so far. */
  reset(): Promise<void>;
  report(): Promise<StandInReport>;
  close(): Promise<void>;
}

export async function startStandIns(args: StandInArgs): Promise<StandIns> {
  const child = await startProcess("stand-ins.ts", args);
  const ask = async <T>(type: string, more: object = {}): Promise<T> => {
    const answer = child.message<T>(type);
    child.send({ type, ...more });
    return await answer;
  };
  const { url } = await ask<{ url: string }>("url");
  return {
    url,
    pid: child.pid,
    setLatencies: (latencies) => ask("latencies", latencies),
    reset: () => ask("reset"),
    report: () => ask<StandInReport>("report"),
    close: () => child.stop(),
  };
}

export function toLatencyText({ detailMs, gpuMs, answerMs }: Latencies): string {
  if (detailMs + gpuMs + answerMs === 0) return "upstreams answer at once";
  return `detail ${detailMs} ms, GPU ${gpuMs} ms a clip, one at a time, answer ${answerMs} ms`;
}
