import { FAULT_KINDS } from "./harness/faults.ts";
import { findShortfalls } from "./harness/verdict/shortfalls.ts";
import { type ChaosOptions, CONTROL, parseOptions } from "./options.ts";
import type { Control } from "./processes/arguments.ts";
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
    `${result.startedEagerly} started eagerly, ${result.fenced} fenced, ${result.reconciled} reconciled, ${result.poisoned} poisoned`,
    `${result.children} submitted by stages (${result.childrenEnded} ended with their parents)`,
    `${result.waits} waits: ${result.resolvedWaits} resolved, ${result.timedOutWaits} timed out, ${result.cancelledWaits} cancelled, ${result.staleAnswers} stale answers`,
    `${result.replanned} of ${result.stranded} stranded found`,
    `${result.amplification.toFixed(3)} calls a job`,
    `${result.waited.hints} hints at most before a backlog of ${result.waited.backlog}`,
    `${result.seconds} s`,
    `starts of ${result.startMs} ms${result.slowness > 1 ? `: minima divided by ${result.slowness.toFixed(1)}` : ""}`,
    `${result.lost} lost, ${result.violations.length} violations`,
  ].join(" · ");
}

/** Exit codes. Who did too little may run again; what was broken stays broken. */
const GREEN = 0;
const BROKEN = 1;
const DID_TOO_LITTLE = 3;

async function runOnce({ backend, seed, plan, beside, keep }: ChaosOptions): Promise<number> {
  const result = await runChaos({ backend, seed, plan, control: null, beside, keep });
  const shortfalls = findShortfalls(result, plan, result.slowness);
  const problems = [...result.violations, ...shortfalls];
  for (const problem of problems.slice(0, SHOWN)) console.log(`  ${problem}`);
  if (keep) console.log(`  kept: ${result.home}`);
  console.log(`chaos: ${toLine(result)}`);
  if (result.lost > 0 || result.violations.length > 0) return BROKEN;
  return shortfalls.length > 0 ? DID_TOO_LITTLE : GREEN;
}

/** What each control must break; anything else that it breaks proves nothing about the check it stands for. */
const BROKEN_BY: Readonly<Record<Control, RegExp>> = {
  "no-fence": /^I[35]:/,
  "no-reconciler": /^I4:/,
  // Requests that the reconciler finds without work; and a job that is finished twice has had two results.
  "settle-after-commit": /^I[23]:/,
  "fixed-job-id": /^I4:/,
  "no-window": /^I9:/,
  "no-replan": /^I2: a request is open/,
  "submit-after-commit": /^I1: a (stage|child)/,
  "resolve-after-commit": /^I4: a wait ran out/,
  "resolve-any-epoch": /^I[35]:/,
};

/**
 * Each protection is taken out in turn; a check that stays green then has proved nothing before. The run before them,
 * under the same plan and with all protections, must be green, or the plan alone would break what they are to break.
 */
async function runControls({
  backend,
  seed,
  beside,
  keep,
  controls,
}: ChaosOptions): Promise<number> {
  const run = (control: Control | null, i: number) =>
    runChaos({ backend, seed: seed + i, plan: CONTROL, control, beside, keep });
  const whole = await run(null, 0);
  const shortfalls = findShortfalls(whole, CONTROL, whole.slowness);
  const isGreen = whole.lost === 0 && whole.violations.length === 0 && shortfalls.length === 0;
  console.log(`nothing taken out: ${isGreen ? "green" : "NOT GREEN"} ${toSymptoms(whole)}`);
  for (const shortfall of shortfalls) console.log(`  ${shortfall}`);
  let caught = 0;
  for (const [i, control] of controls.entries()) {
    const result = await run(control, i + 1);
    const isCaught = result.violations.some((line) => BROKEN_BY[control].test(line));
    if (isCaught) caught++;
    console.log(`${control}: ${isCaught ? "caught" : "NOT CAUGHT"} ${toSymptoms(result)}`);
  }
  console.log(`controls: ${caught} of ${controls.length} caught, with the ${backend} backend`);
  return isGreen && caught === controls.length ? GREEN : BROKEN;
}

function toSymptoms({ lost, violations, seconds }: ChaosResult): string {
  const lines = violations.slice(0, SHOWN).map((line) => `\n  ${line}`);
  return `(${seconds} s, ${lost} lost, ${violations.length} violations)${lines.join("")}`;
}

const options = parseOptions(process.argv.slice(2));
console.log(`chaos: seed ${options.seed}`);
const code = await (options.controls.length > 0 ? runControls(options) : runOnce(options));
// Idle keep-alive connections of the callers would hold the process for minutes.
process.exit(code);
