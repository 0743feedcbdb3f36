import { z } from "zod";
import { count, variable } from "../variable.ts";

/** Postgres, which holds all work and all results. */
export const database = {
  DATABASE_URL: variable(
    z
      .url({
        protocol: /^postgres(ql)?$/,
        error: "not an address such as postgres://USER:PASSWORD@HOST:5432/NAME",
      })
      .optional(),
    "Postgres to use. Not set: an embedded one in CLIPMILL_HOME.",
  ),
  DATABASE_POOL: variable(
    count.default(10),
    "Most Postgres connections of one process; a worker keeps five more for leases and results. Too few: claims wait for each other.",
  ),
} as const;
