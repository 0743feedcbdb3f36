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

/** Blanks and line breaks around it are left off, as are slashes at the end. */
export const httpUrl = z
  .string()
  .transform((value) => value.trim())
  .pipe(z.url({ protocol: /^https?$/ }))
  .transform((value) => value.replace(/\/+$/, ""));

/**
 * A key or token that goes into a header. Blanks and line breaks around it are left off, since they come along when it is
 * copied. Refused with what is wrong, never with the value: what no key has, such as a dash that a text program made of
 * a hyphen, which no header takes.
 */
export const credential = z
  .string()
  .transform((value) => value.trim())
  .superRefine((value, context) => {
    const problem = findCredentialProblem(value);
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  });

function findCredentialProblem(value: string): string | null {
  if (value === "") return "holds blanks only";
  if (/^(["'`]).*\1$/s.test(value)) return "stands in quotes: leave them off";
  const at = Array.from(value).findIndex((char) => !/^[\x21-\x7e]$/.test(char));
  if (at < 0) return null;
  const code = Array.from(value)[at]?.codePointAt(0) ?? 0;
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return `its character ${at + 1} is ${name}, which no key has: copy it anew`;
}
