import "../bootstrap/conceal-environment.mjs";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { addDeadCommand } from "./commands/dead.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addMigrateCommand } from "./commands/migrate.ts";
import { addResolveCommand } from "./commands/resolve.ts";
import { addRunCommand } from "./commands/run.ts";
import { addSandboxCommand } from "./commands/sandbox.ts";
import { addUpCommand } from "./commands/up.ts";
import { EnvironmentError, isExplained, toExitCode, toMessage } from "./failure.ts";
import { ROOT } from "./paths.ts";

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  version: string;
};
const program = new Command("clipmill")
  .description("Turns TikTok posts into transcripts, on-screen text and summaries.")
  .version(manifest.version, "-v, --version", "print the version")
  .exitOverride()
  .showHelpAfterError("(--help lists what there is)");

addUpCommand(program);
addRunCommand(program);
addResolveCommand(program);
addDeadCommand(program);
addDoctorCommand(program);
addMigrateCommand(program);
addSandboxCommand(program);
addDevCommand(program);
program
  .command("version", { hidden: true })
  .description("Print the version.")
  .action(() => console.log(manifest.version));

// Only those who listen keep the channel to the bootstrap, and so this process, open.
process.channel?.unref();

// A reader that goes away, as in `clipmill run … | head`, is no reason to fail.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

/** A database that went away in mid-command needs no stack. Loaded late, so that `--help` stays quick. */
async function explainDatabase(error: unknown): Promise<unknown> {
  if (isExplained(error)) return error;
  const { toDatabaseProblem } = await import("@clipmill/db");
  const found = toDatabaseProblem(error);
  if (found === null) return error;
  const { problem, remedy } = found;
  return new EnvironmentError(`the database: ${problem}. Fix it: ${remedy}`, { cause: error });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; asking for help is not wrong.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    console.error(toMessage(await explainDatabase(error)));
    process.exitCode = toExitCode(error);
  }
}
