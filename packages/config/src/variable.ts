import { z } from "zod";

/** A variable as the groups in `env/` list it: how its text becomes a value, and what it means to a person. */
export function variable<T extends z.ZodType>(
  schema: T,
  meaning: string,
): { schema: T; meaning: string } {
  return { schema, meaning };
}

/** On or off. */
export const flag = z
  .enum(["", "0", "1", "false", "true", "no", "yes"])
  .transform((value) => value === "1" || value === "true" || value === "yes");

export const count = z.coerce.number().int().min(1);

/** 0 stands for no limit. */
export const seconds = z.coerce.number().min(0).max(1_000_000_000);

export const days = z.coerce.number().min(0).max(36_500);

/** Any names, separated by commas, in the order of preference. */
export const list = z.string().transform((value) =>
  value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== ""),
);

/** As `list`, at least one of the allowed names and no other. */
export const names = <const T extends readonly string[]>(allowed: T) =>
  list.pipe(z.array(z.enum(allowed)).min(1));

/** Without a slash at the end. */
export const httpUrl = z
  .url({ protocol: /^https?$/ })
  .transform((value) => value.replace(/\/+$/, ""));
