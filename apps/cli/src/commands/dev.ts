import type { Command } from "commander";

/** For those who work on clipmill itself; the bootstrap installs the tools for these. */
export function addDevCommand(program: Command): void {
  program.enablePositionalOptions();
  const dev = program.command("dev", { hidden: true }).description("Work on clipmill itself.");

  passThrough(dev, "test", "run the tests; the rest goes to vitest").action(
    async (args: string[]) => {
      const { runTests } = await import("../dev/test.ts");
      process.exitCode = await runTests(args);
    },
  );
  dev
    .command("check")
    .description("format, lint, types, dependencies and unit tests")
    .action(async () => {
      const { check } = await import("../dev/check.ts");
      process.exitCode = await check();
    });
  dev
    .command("format")
    .description("format all files")
    .action(async () => {
      const { runTool } = await import("../dev/run-tool.ts");
      process.exitCode = await runTool("oxfmt", ["."]);
    });
  passThrough(dev, "bench", "run a benchmark, with its options; without a name, list them").action(
    async (args: string[]) => {
      const { bench } = await import("../dev/bench.ts");
      process.exitCode = await bench(args);
    },
  );
  passThrough(dev, "chaos", "break everything on purpose and count what is lost").action(
    async (args: string[]) => {
      const { runChaos } = await import("../dev/chaos.ts");
      process.exitCode = await runChaos(args);
    },
  );
  passThrough(dev, "db:generate", "write the migration that the schema now needs").action(
    async (args: string[]) => {
      const { runTool } = await import("../dev/run-tool.ts");
      const config = ["--config", "packages/db/drizzle.config.ts"];
      process.exitCode = await runTool("drizzle-kit", ["generate", ...config, ...args]);
    },
  );
}

function passThrough(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .argument("[args...]")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions();
}
