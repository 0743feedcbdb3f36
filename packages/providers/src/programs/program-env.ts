/**
 * What any program needs in order to start, find its libraries and write its files. `LD_LIBRARY_PATH` is for builds
 * outside the system's folders; the last five are for Windows.
 */
const NEEDED: readonly string[] = [
  "PATH",
  "HOME",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "TMPDIR",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "SYSTEMROOT",
  "USERPROFILE",
  "PATHEXT",
  "TEMP",
  "TMP",
];

/**
 * The environment of a program of others, which works on what strangers made: nothing of ours but what it needs, so
 * no key, password or database address. `more` names what it is given besides; what is not set stays so.
 */
export function toProgramEnv(more: readonly string[] = []): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of [...NEEDED, ...more]) {
    // oxlint-disable-next-line node/no-process-env -- no setting of the product: what spawn would pass on by itself
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
