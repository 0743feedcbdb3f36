import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findFreePort } from "../../support/servers/free-port.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SECRET = "not-for-programs-of-others";
const WAIT = { timeout: 120_000, interval: 200 };

/** Which processes show the secret, and which do not, seen by a program that one of them started. */
const LOOK = (to: string) => `#!/bin/sh
pid=$PPID
: > "${to}.new"
while [ "$pid" -gt 1 ]; do
  if grep -qaF ${SECRET} "/proc/$pid/environ"; then shows=yes; else shows=no; fi
  echo "$pid $shows $(tr '\\0' ' ' < "/proc/$pid/cmdline")" >> "${to}.new"
  pid=$(cut -d ' ' -f 4 "/proc/$pid/stat")
done
mv "${to}.new" "${to}"
exit 1
`;

const TEST = { timeout: 180_000 };

describe.skipIf(process.platform !== "linux")("our environment (on Linux)", TEST, () => {
  let home: string;
  const started: ChildProcess[] = [];
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "clipmill-concealed-"));
  });
  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
      }
    }
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  test("a process that does not conceal it shows it to others (negative control)", async () => {
    const env = { PATH: process.env["PATH"], TIKLIVE_API_KEY: SECRET };
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { env });
    started.push(child);
    await once(child, "spawn");
    const read = () => readFileSync(`/proc/${child.pid}/environ`, "latin1");
    await expect.poll(read, WAIT).toContain(SECRET);
  });

  test("is neither the worker's nor that of `up` for a program that they start", async () => {
    const program = join(home, "recogniser");
    const seenPath = join(home, "seen");
    await writeFile(program, LOOK(seenPath), { mode: 0o755 });
    const env = {
      PATH: process.env["PATH"],
      HOME: home,
      CLIPMILL_HOME: join(home, "data"),
      CLIPMILL_SANDBOX: "on",
      PORT: String(await findFreePort()),
      POCKETSPHINX_PATH: program,
      ANTHROPIC_API_KEY: SECRET,
      DASHBOARD_PASSWORD: `${SECRET}-too`,
    };
    const up = spawn(process.execPath, ["apps/cli/src/main.ts", "up"], {
      cwd: ROOT,
      env,
      stdio: "ignore",
    });
    started.push(up);
    const read = () => readFile(seenPath, "utf8").catch(() => "");
    // Whoever asks first whether it is there; in the end the worker does.
    await expect.poll(read, WAIT).toContain("apps/worker/src/main.ts");
    const chain = (await read()).trim().split("\n");
    const ours = chain.slice(0, chain.findIndex((line) => line.startsWith(`${up.pid} `)) + 1);
    expect(ours.map((line) => line.split(" ")[1])).toEqual(["no", "no", "no"]);
    expect(ours.join("\n")).toMatch(
      /launcher-main\.ts[^]*worker\/src\/main\.ts[^]*cli\/src\/main\.ts/,
    );
    // The others that `up` has started, the database among them.
    expect(await findShowing()).toEqual([]);
  });
});

/** Command lines of all processes that show the secret. */
async function findShowing(): Promise<string[]> {
  const showing: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const read = (what: string) => readFile(`/proc/${pid}/${what}`, "latin1").catch(() => "");
    if ((await read("environ")).includes(SECRET)) showing.push(await read("cmdline"));
  }
  return showing;
}
