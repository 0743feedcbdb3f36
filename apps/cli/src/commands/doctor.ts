import type { Command } from "commander";
import { loadCliConfig } from "../load-cli-config.ts";

const MARKS = { ok: "✓", note: "·", missing: "✗" } as const;

export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description(
      "Say what clipmill finds on this machine and what to do; exit code 0 if the demo can run.",
    )
    .option("--json", "print the findings as JSON")
    .action(async ({ json = false }: { json?: boolean }) => {
      const { examine } = await import("../doctor/doctor.ts");
      const findings = await examine(loadCliConfig());
      if (json) console.log(JSON.stringify(findings, null, 2));
      else {
        for (const { name, status, found, advice } of findings) {
          console.log(`${MARKS[status]} ${name.padEnd(19)} ${found}`);
          if (advice !== null) console.log(`${" ".repeat(22)}→ ${advice}`);
        }
      }
      if (findings.some(({ status }) => status === "missing")) process.exitCode = 1;
    });
}
