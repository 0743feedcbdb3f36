import { type Config, ConfigError } from "./config.ts";

/**
 * What ends this process with -9 at the point that FAIL_AT names, as `point` or `point:where`; null unless
 * NODE_ENV=test. Throws ConfigError for a point that is not among `known`: a test that kills nothing proves nothing.
 */
export function createFailpointTrap(
  { FAIL_AT, NODE_ENV }: Pick<Config, "FAIL_AT" | "NODE_ENV">,
  known: readonly string[],
): ((point: string, where: string) => void) | null {
  if (FAIL_AT === undefined || NODE_ENV !== "test") return null;
  const [name = "", place] = FAIL_AT.split(":");
  if (!known.includes(name)) {
    throw new ConfigError([`FAIL_AT: there is no failpoint ${name}; there is ${known.join(", ")}`]);
  }
  return (point, where) => {
    if (point === name && (place === undefined || place === where)) {
      process.kill(process.pid, "SIGKILL");
    }
  };
}
