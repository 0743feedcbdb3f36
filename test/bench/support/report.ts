import { cpus, loadavg, totalmem } from "node:os";

/** What every benchmark prints, one object a run. */
export interface BenchReport {
  name: string;
  rounds: number;
  /** Medians over the rounds, each with its unit in its name. */
  medians: Record<string, number>;
  /** The figure that the bar is about, from figures of one run. */
  ratio: number | null;
  /** What the bar demands; null where there is none. */
  bar: string | null;
  met: boolean | null;
  /** Facts that were checked, not assumed. */
  checks: Record<string, string | number | boolean>;
  simulated: boolean;
}

function machine() {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    load1: Number(loadavg()[0]?.toFixed(2)),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}

/** One JSON object on stdout with `json`, else a few lines for people. */
export function printReport(report: BenchReport, { json }: { json: boolean }): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...report, machine: machine() })}\n`);
    return;
  }
  const lines = [
    `${report.name}: ${report.rounds} rounds${report.simulated ? ", simulated stages" : ""}`,
  ];
  for (const [name, value] of Object.entries(report.medians))
    lines.push(`  ${name.padEnd(34)} ${format(value)}`);
  if (report.ratio !== null) lines.push(`  ${"ratio".padEnd(34)} ${report.ratio.toFixed(3)}`);
  if (report.bar !== null)
    lines.push(`  ${"bar".padEnd(34)} ${report.bar}: ${report.met === true ? "met" : "MISSED"}`);
  for (const [name, value] of Object.entries(report.checks))
    lines.push(`  ${name.padEnd(34)} ${value}`);
  process.stdout.write(`${lines.join("\n")}\n`);
}

function format(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}
