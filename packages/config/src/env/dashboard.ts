import { z } from "zod";
import { flag, variable } from "../variable.ts";

/** The page about queues, for operators. */
export const dashboard = {
  DASHBOARD_PASSWORD: variable(
    z.string().min(8).optional(),
    "Password of /queues. Not set: generated into CLIPMILL_HOME.",
  ),
  DASHBOARD_READ_ONLY: variable(
    flag.default(true),
    "0: operators may retry and remove jobs in the queue dashboard.",
  ),
} as const;
