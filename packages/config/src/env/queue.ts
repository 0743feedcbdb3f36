import { z } from "zod";
import { variable } from "../variable.ts";

/** What BullMQ runs on. */
export const queue = {
  REDIS_URL: variable(
    z
      .url({
        protocol: /^rediss?$/,
        error: "not an address such as redis://:PASSWORD@HOST:6379",
      })
      .optional(),
    "Redis or Valkey ≥ 6.2 for BullMQ. Not set: BullMQ runs on Postgres.",
  ),
  QUEUE_PREFIX: variable(
    z
      .string()
      .regex(/^[a-z0-9-]{1,40}$/)
      .default("clipmill"),
    "BullMQ key prefix, for several installations on one Redis.",
  ),
} as const;
