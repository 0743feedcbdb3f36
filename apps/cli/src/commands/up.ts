import type { Command } from "commander";
import { InterruptedError, UsageError } from "../failure.ts";
import { loadCliConfig } from "../load-cli-config.ts";
import { parsePort } from "../parse-options.ts";
import { requireDirectories } from "../require-directories.ts";
import type { DemoOutcome } from "../up/demo.ts";
import type { Stack } from "../up/stack.ts";
import type { Config } from "@clipmill/config";
import { type Shutdown, listenForShutdown } from "../up/shutdown.ts";

interface UpOptions {
  demo?: boolean;
  once?: boolean;
  port?: number;
}

const notice = (line: string): void => console.error(`clipmill: ${line}`);

export function addUpCommand(program: Command): void {
  program
    .command("up")
    .description(
      "Start everything: Postgres, API, worker, dashboard, and the sandbox if there are no keys.",
    )
    .option("--demo", "put the sample posts through the pipeline first")
    .option("--no-demo", "only serve (the default; undoes --demo)")
    .option("--once", "run the demo and stop; exit code 0 if all went as expected")
    .option(
      "--port <number>",
      "port of the API (default: PORT, else 4600 or the next free one)",
      parsePort,
    )
    .action(async (options: UpOptions) => {
      // `npm start -- --no-demo` arrives as `--demo --no-demo`: the last one counts.
      if (options.once === true && options.demo === false) {
        throw new UsageError("--once runs the demo, so it does not go with --no-demo");
      }
      await up(options);
    });
}

async function up({ demo = false, once = false, port }: UpOptions): Promise<void> {
  const config = loadCliConfig();
  await requireDirectories(config);
  const { lockHome } = await import("../up/run-state.ts");
  const { startStack } = await import("../up/stack.ts");
  const shutdown = listenForShutdown();
  const home = lockHome(config.CLIPMILL_HOME);
  try {
    const startedAt = new Date().toISOString();
    notice("starting …");
    const stack = await startStack(config, { port, notice, signal: shutdown.signal });
    shutdown.onImpatience(() => stack.kill());
    try {
      const { apiUrl, databaseUrl, sandboxUrl } = stack;
      home.publish({ apiUrl, databaseUrl, sandboxUrl, startedAt });
      const outcome = demo || once ? await showDemo(config, stack, shutdown, once) : null;
      printLinks(stack);
      if (outcome !== null) printOutcome(outcome);
      if (once && outcome !== null && outcome.asExpected < outcome.total) process.exitCode = 1;
      if (!once) await untilStopped(stack, shutdown);
    } finally {
      notice("stopping …");
      home.withdraw({ atOnce: true });
      await stack.close();
    }
  } finally {
    home.release();
    shutdown.dispose();
  }
}

async function showDemo(
  config: Config,
  stack: Stack,
  { signal }: Shutdown,
  once: boolean,
): Promise<DemoOutcome | null> {
  if (stack.sandboxUrl === null) {
    if (once) throw new UsageError("the demo needs the sandbox: CLIPMILL_SANDBOX=on");
    notice("no demo: the sandbox is off");
    return null;
  }
  const { databaseUrl, sandboxUrl } = stack;
  const { createRequests } = await import("../run/requests.ts");
  const { runDemo } = await import("../up/demo.ts");
  const { hasRecogniser } = await import("../up/recogniser.ts");
  const onError = (error: Error) => notice(`database: ${error.message}`);
  const requests = createRequests(config, { databaseUrl, sandboxUrl, onError });
  try {
    const isSpeechReal = () => hasRecogniser({ ...config, CLIPMILL_SANDBOX_URL: sandboxUrl });
    const outcome = await Promise.race([
      runDemo({ requests, isSpeechReal, print: console.log, signal }),
      stack.failed,
    ]);
    if (signal.aborted) {
      if (once) throw new InterruptedError("interrupted before the demo was over");
      return null;
    }
    return outcome;
  } finally {
    await requests.close();
  }
}

function printOutcome({ asExpected, cached, total }: DemoOutcome): void {
  if (cached > 0) console.log(`${cached} answered from the cache`);
  console.log(`demo: ${asExpected} of ${total} as expected`);
}

function printLinks({ apiUrl, dashboardPassword }: Stack): void {
  console.log(`
Results    ${apiUrl}/
Dashboard  ${apiUrl}/queues   (password: ${dashboardPassword})
API docs   ${apiUrl}/docs
Try it     curl -s ${apiUrl}/v1/jobs -H 'content-type: application/json' -H 'prefer: wait=10' \\
             -d '{"url":"https://www.tiktok.com/@demo_coffee/video/7000000000000000001"}'
`);
}

/** Being stopped is how serving ends: exit code 0. */
async function untilStopped(stack: Stack, { signal }: Shutdown): Promise<void> {
  if (signal.aborted) return;
  const stopped = new Promise((done) => signal.addEventListener("abort", done, { once: true }));
  notice("up; Ctrl-C stops it");
  await Promise.race([stopped, stack.failed]);
}
