import { setTimeout as sleep } from "node:timers/promises";
import { ClipmillError, type RequestView } from "@clipmill/domain";
import type { Command } from "commander";
import { InterruptedError, UsageError } from "../failure.ts";
import { loadCliConfig } from "../load-cli-config.ts";
import { parseLanguage } from "../parse-options.ts";
import { toSecondsText } from "../printable.ts";
import { requireDirectories } from "../require-directories.ts";
import { leaveWaiting, tellWaiting, toInterruption, toPatienceMs } from "../run/waiting.ts";
import { listenForShutdown } from "../up/shutdown.ts";

interface RunOptions {
  json?: boolean;
  language?: string;
  detail?: string;
  fresh?: boolean;
}

const EXPLAINED_WITHIN_MS = 1_500;
const notice = (line: string): void => console.error(`clipmill: ${line}`);

export function addRunCommand(program: Command): void {
  program
    .command("run")
    .description("Process one post and print its result.")
    .argument("<input>", "a link, an id, share text, or a local media file")
    .option("--json", "print the result as one JSON object")
    .option("--language <tag>", "the language that is spoken, such as en", parseLanguage)
    .option("--detail <file>", "JSON about a local file: title, author, music, id")
    .option("--fresh", "recognise the speech, also where the source offers captions")
    .action(run);
}

async function run(
  input: string,
  { json = false, language, detail, fresh = false }: RunOptions,
): Promise<void> {
  const config = loadCliConfig();
  await requireDirectories(config);
  const { toIntake } = await import("../run/intake.ts");
  const shutdown = listenForShutdown();
  const { signal } = shutdown;
  const intake = await explainInput(() =>
    toIntake(input, { config, language: language ?? null, detailPath: detail, notice, signal }),
  );
  const { findOrStart } = await import("../run/service.ts");
  const service = await findOrStart(config, shutdown, notice);
  try {
    const { createRequests } = await import("../run/requests.ts");
    const { followRequest } = await import("../run/progress.ts");
    const onError = (error: Error) => notice(`database: ${error.message}`);
    const requests = createRequests(config, { ...service, onError });
    try {
      const startedAt = Date.now();
      // The worker of this command has the same environment.
      if (service.isShared) await requests.requireEngines(intake.origin);
      const [accepted] = await requests.submit([{ ...intake, fresh }]);
      if (accepted === undefined) throw new Error("the request was not accepted");
      const following = followRequest(requests.reader, accepted.requestId, {
        signal,
        onWaiting: (waiting) => tellWaiting(waiting, service, notice),
        toPatienceMs: (waiting) => toPatienceMs(waiting, service),
        onChange: ({ stage, state }) =>
          console.error(`${toSecondsText(Date.now() - startedAt).padStart(7)}  ${stage}: ${state}`),
      });
      const view = await orExplained(following, service.failed);
      if (signal.aborted) throw new InterruptedError(toInterruption(view, service));
      await printView(view, json);
      if (view.waitingFor !== null) await leaveWaiting(view, service, requests);
    } finally {
      await requests.close();
    }
  } finally {
    await service.close();
    shutdown.dispose();
  }
}

/** Where the database went away, the end of what served it says why, a moment later. */
async function orExplained<T>(following: Promise<T>, failed: Promise<never>): Promise<T> {
  try {
    return await Promise.race([following, failed]);
  } catch (error) {
    await Promise.race([failed, sleep(EXPLAINED_WITHIN_MS)]);
    throw error;
  }
}

/** An input that cannot be understood is a wrong command line; anything later is a failed run. */
async function explainInput<T>(understand: () => Promise<T>): Promise<T> {
  try {
    return await understand();
  } catch (error) {
    if (!(error instanceof ClipmillError)) throw error;
    const isUsage = ["invalid_request", "invalid_link", "not_a_post", "unsupported"];
    if (!isUsage.includes(error.code)) throw error;
    throw new UsageError(`${error.message} (${error.code})`, { cause: error });
  }
}

async function printView(view: RequestView, json: boolean): Promise<void> {
  const { result } = view;
  if (result !== null) {
    const { toReport } = await import("../run/report.ts");
    console.log(json ? JSON.stringify(result, null, 2) : toReport(result));
    return;
  }
  const { toJsonView, toEndLine } = await import("../run/report.ts");
  if (json) console.log(JSON.stringify(toJsonView(view), null, 2));
  notice(toEndLine(view));
  process.exitCode = 1;
}
