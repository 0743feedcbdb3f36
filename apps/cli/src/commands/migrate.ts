import type { Command } from "commander";
import { loadCliConfig } from "../load-cli-config.ts";
import { requireDirectories } from "../require-directories.ts";
import { listenForShutdown } from "../up/shutdown.ts";

export function addMigrateCommand(program: Command): void {
  program
    .command("migrate")
    .description(
      "Bring the database up to date: that of DATABASE_URL, else the embedded one; `up` does so by itself.",
    )
    .action(migrate);
}

const notice = (line: string): void => console.error(`clipmill: ${line}`);

async function migrate(): Promise<void> {
  const config = loadCliConfig();
  const { serveDatabase } = await import("../up/database.ts");
  if (config.DATABASE_URL !== undefined) {
    await (await serveDatabase(config, notice)).close();
    return notice("the database is up to date");
  }
  await requireDirectories(config);
  const { enterHome } = await import("../run/shared-home.ts");
  const shutdown = listenForShutdown();
  const { signal } = shutdown;
  const { seat, lock } = await enterHome(config.CLIPMILL_HOME, { notice, signal });
  try {
    const url = seat?.state.databaseUrl;
    // The embedded server runs for one command only; beside that one its address serves as well.
    await (await serveDatabase({ ...config, DATABASE_URL: url }, notice)).close();
    notice(
      seat === undefined
        ? "the embedded database is up to date"
        : `the database of the clipmill that is running (pid ${seat.state.pid}) is up to date`,
    );
  } finally {
    seat?.leave();
    lock?.release();
    shutdown.dispose();
  }
}
