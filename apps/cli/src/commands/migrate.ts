import type { Command } from "commander";
import { loadCliConfig } from "../load-cli-config.ts";

export function addMigrateCommand(program: Command): void {
  program
    .command("migrate")
    .description("Bring the database at DATABASE_URL up to date; `up` does so by itself.")
    .action(async () => {
      const { serveDatabase } = await import("../up/database.ts");
      const database = await serveDatabase(loadCliConfig(), (line) =>
        console.error(`clipmill: ${line}`),
      );
      await database.close();
      console.error("clipmill: the database is up to date");
    });
}
