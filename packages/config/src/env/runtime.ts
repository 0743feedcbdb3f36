import { z } from "zod";
import { variable } from "../variable.ts";

/** What every process heeds: how much it logs, and whether it runs under test. */
export const runtime = {
  LOG_LEVEL: variable(
    z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
    "pino's level.",
  ),
  FAIL_AT: variable(
    z.string().optional(),
    "Test switch, inert unless NODE_ENV=test: kill the process at this failpoint.",
  ),
  NODE_ENV: variable(z.string().default("production"), "Only `test` matters: it arms FAIL_AT."),
} as const;
