/** What the programs of Postgres need in order to start and find their libraries. The last four are for Windows. */
const NEEDED: readonly string[] = [
  "PATH",
  "HOME",
  "TMPDIR",
  "TZ",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "SYSTEMROOT",
  "USERPROFILE",
  "TEMP",
  "TMP",
];

/**
 * The environment of the server: it outlives whoever started it, and any program of the same user can read it, so it
 * holds no key of ours.
 */
export function toServerEnv(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of NEEDED) {
    // oxlint-disable-next-line node/no-process-env -- no setting of the product: what spawn would pass on by itself
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
