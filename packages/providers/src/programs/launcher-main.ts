import {
  type FromLauncher,
  type ProgramFailure,
  type ToLauncher,
  WITNESS_FD,
} from "./launcher-messages.ts";
import { setGuardWitness, startGuard } from "./orphan-guard.ts";
import { ProgramError } from "./program-error.ts";
import { type ProgramCall, runDirectly } from "./run-directly.ts";

/** Programs step back for the workers, the API and Postgres: what those do is short, and others wait for it. */
const NICENESS = 10;

/** Small enough that neither process is busy with one for a millisecond. */
const PIECE_BYTES = 64 * 1024;

const running = new Map<number, AbortController>();

// Before any program, so that it is there when the first one starts.
setGuardWitness(WITNESS_FD);
startGuard();

// Our process is gone, or has closed: so does the guard end what still runs.
process.on("disconnect", () => process.exit());
// They come to the whole group. Our process decides when it stops, and we stop after it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

process.on("message", (message: ToLauncher) => {
  if (message.kind === "run") void run(message.id, message.call);
  else running.get(message.id)?.abort();
});

async function run(id: number, call: ProgramCall): Promise<void> {
  const abort = new AbortController();
  running.set(id, abort);
  let failure: ProgramFailure | null = null;
  try {
    await sendOutput(id, await runDirectly({ ...call, niceness: NICENESS }, abort.signal));
  } catch (error) {
    failure = toFailure(error);
  } finally {
    running.delete(id);
  }
  await send({ kind: "end", id, failure });
}

/** The next piece goes once the one before it has been written, so that no queue of them grows. */
async function sendOutput(id: number, output: Buffer): Promise<void> {
  for (let at = 0; at < output.length; at += PIECE_BYTES) {
    await send({ kind: "output", id, bytes: output.subarray(at, at + PIECE_BYTES) });
  }
}

/** Whoever has aborted the run knows why, whatever stands here. */
function toFailure(error: unknown): ProgramFailure {
  if (!(error instanceof ProgramError))
    return { reason: "missing", exitCode: null, stderrTail: "" };
  const { reason, exitCode, stderrTail } = error;
  return { reason, exitCode, stderrTail };
}

/** Resolves also where nobody listens any more: then this process is about to end. */
function send(message: FromLauncher): Promise<void> {
  return new Promise((done) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => done());
    else done();
  });
}
