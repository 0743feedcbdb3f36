import { z } from "zod";
import { httpUrl, variable } from "../variable.ts";

/** Local stand-ins for other people's machines. */
export const sandbox = {
  CLIPMILL_SANDBOX: variable(
    z.enum(["auto", "on", "off"]).default("auto"),
    "Local stand-ins for other people's machines. auto: on unless TIKLIVE_API_KEY is set, or POST_SOURCES lists only sources that need no key.",
  ),
  CLIPMILL_SANDBOX_URL: variable(
    httpUrl.optional(),
    "Address of the running sandbox; set by `clipmill up` for the processes that it starts.",
  ),
} as const;
