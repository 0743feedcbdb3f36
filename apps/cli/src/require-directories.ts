import { checkDirectories, type Config, toDirectoryRefusal } from "@clipmill/config";
import { EnvironmentError, UsageError } from "./failure.ts";

/**
 * Sees to it that what follows can write where it must, so that a wrong directory is one line and not a failure of
 * everything. Throws UsageError for a wrong variable, and EnvironmentError for a full disk.
 */
export async function requireDirectories(config: Pick<Config, "CLIPMILL_HOME">): Promise<void> {
  const problems = await checkDirectories(config);
  if (problems.length === 0) return;
  const text = problems.map(toDirectoryRefusal).join("\n");
  throw problems.every(({ mayPass }) => mayPass)
    ? new EnvironmentError(text)
    : new UsageError(text);
}
