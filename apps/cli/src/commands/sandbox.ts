import { createLogger } from "@clipmill/config";
import type { Command } from "commander";
import { loadCliConfig } from "../load-cli-config.ts";
import { parsePort } from "../parse-options.ts";
import { listenForShutdown } from "../up/shutdown.ts";

/** Started by `up` as a process of its own, so that a fault asked for there cannot stop anything else. */
export function addSandboxCommand(program: Command): void {
  program
    .command("sandbox", { hidden: true })
    .description("Serve the local stand-ins for other people's machines.")
    .option("--port <number>", "port (default: any free one)", parsePort)
    .action(async ({ port = 0 }: { port?: number }) => {
      const { createSandbox } = await import("@clipmill/sandbox");
      const log = createLogger(loadCliConfig(), "sandbox");
      const shutdown = listenForShutdown();
      const sandbox = await createSandbox({ port, log });
      process.send?.({ type: "ready", url: sandbox.url });
      if (process.send === undefined) console.log(sandbox.url);
      await new Promise((done) => shutdown.signal.addEventListener("abort", done));
      await sandbox.close();
      shutdown.dispose();
    });
}
