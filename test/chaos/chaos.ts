import { FAULT_KINDS } from "./harness/faults.ts";
import { type ChaosOptions, type Minima, parseOptions, SHORT } from "./options.ts";
import { CONTROLS } from "./processes/arguments.ts";
import { type ChaosResult, runChaos } from "./run-chaos.ts";

/** Shown at most; the rest is counted. */
const SHOWN = 20;

function toLine(result: ChaosResult): string {
  const faults = FAULT_KINDS.map((kind) => `${kind} ${result.faults[kind] ?? "not possible here"}`);
  return [
    `${result.backend} backend`,
    `${result.requests} requests (${result.shared} shared, ${result.repeated} repeated)`,
    `${result.deaths} deaths (${result.kills} kill -9)`,
    faults.join(", "),
    `${result.fenced} fenced, ${result.reconciled} reconciled, ${result.poisoned} poisoned`,
    `${result.amplification.toFixed(3)} calls a job`,
    `${result.waited.hints} hints at most before a backlog of ${result.waited.backlog}`,
    `${result.seconds} s`,
    `${result.lost} lost, ${result.violations.length} violations`,
  ].join(" · ");
}

/** What a run did not do; it proves nothing then. */
function findShortfalls(result: ChaosResult, minima: Minima): string[] {
  const floor = (what: string, value: number, least: number) =>
    value < least ? [`${what}: ${value}, at least ${least} are needed`] : [];
  return [
    ...floor("requests", result.requests, minima.requests),
    ...floor("kills", result.kills, minima.kills),
    ...floor("fenced writes", result.fenced, 1),
    ...floor("reconciled rows", result.reconciled, 1),
    ...floor("poisoned jobs", result.poisoned, 1),
    ...Object.entries(result.faults).flatMap(([kind, count]) => floor(kind, count, minima.faults)),
  ];
}

async function runOnce({ backend, seed, plan, keep }: ChaosOptions): Promise<boolean> {
  const result = await runChaos({ backend, seed, plan, control: null, keep });
  const shortfalls = findShortfalls(result, plan.minima);
  const problems = [...result.violations, ...shortfalls];
  for (const problem of problems.slice(0, SHOWN)) console.log(`  ${problem}`);
  if (keep) console.log(`  kept: ${result.home}`);
  console.log(`chaos: ${toLine(result)}`);
  return result.lost === 0 && problems.length === 0;
}

/** Each protection is taken out in turn; a harness that stays green then has proved nothing before. */
async function runControls({ backend, seed, keep }: ChaosOptions): Promise<boolean> {
  const plan = { ...SHORT, faultsForMs: { least: 20_000, most: 30_000 }, stalledAfterMs: 12_000 };
  let caught = 0;
  for (const [i, control] of CONTROLS.entries()) {
    const result = await runChaos({ backend, seed: seed + i, plan, control, keep });
    const isCaught = result.lost > 0 || result.violations.length > 0;
    if (isCaught) caught++;
    const [first = ""] = result.violations;
    console.log(
      `${control}: ${isCaught ? "caught" : "NOT CAUGHT"} (${result.lost} lost, ${result.violations.length} violations, ${result.seconds} s) ${first}`,
    );
  }
  console.log(`controls: ${caught} of ${CONTROLS.length} caught`);
  return caught === CONTROLS.length;
}

const options = parseOptions(process.argv.slice(2));
console.log(`chaos: seed ${options.seed}`);
const passed = await (options.controls ? runControls(options) : runOnce(options));
// Idle keep-alive connections of the callers would hold the process for minutes.
process.exit(passed ? 0 : 1);
