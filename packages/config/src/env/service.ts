import { z } from "zod";
import { variable } from "../variable.ts";

/** The installation as a whole: where its data lies, where its API listens and what it remembers. */
export const service = {
  CLIPMILL_HOME: variable(
    z.string().default(".clipmill"),
    "Directory of data, media, secrets and downloaded engines.",
  ),
  HOST: variable(z.string().default("127.0.0.1"), "Address that the API listens on."),
  PORT: variable(
    z.coerce.number().int().min(1).max(65_535).optional(),
    "Port of the API. Not set: 4600, or the next free one. Set and taken: an error.",
  ),
  ANSWER_MEMORY_BYTES: variable(
    z.coerce.number().int().min(0).default(32_000_000),
    "Answers about stored posts that the API keeps ready in memory. Each is checked against Postgres whenever it is read. 0: none.",
  ),
} as const;
