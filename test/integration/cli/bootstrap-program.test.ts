import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type BootstrapClone,
  createBootstrapClone,
  SECRET,
  until,
} from "../../support/servers/bootstrap-clone.ts";

let clone: BootstrapClone;

beforeEach(async () => {
  clone = await createBootstrapClone();
});

afterEach(() => clone[Symbol.asyncDispose]());

describe("the bootstrap", () => {
  test.each(["--version", "-v", "version"])(
    "tells its version for %s and installs nothing",
    async (asked) => {
      await writeFile(join(clone.root, "package.json"), '{ "type": "module", "version": "1.2.3" }');
      expect(await clone.start(asked)).toMatchObject({ code: 0, stdout: "1.2.3\n", stderr: "" });
      expect(await clone.npmCalls()).toEqual([]);
    },
  );

  test("passes the exit code on", async () => {
    expect(await clone.start("exit", "3")).toMatchObject({ code: 3 });
  });

  test.skipIf(process.platform !== "linux")(
    "shows its environment to no other process, nor does main.ts, which has it (on Linux)",
    async () => {
      const running = clone.launch(["wait"]);
      await until("main.ts runs", () => running.stdout().includes("wait"));
      const { pid, secret } = JSON.parse(running.stdout().split("\n", 1)[0] ?? "") as {
        pid: number;
        secret: string;
      };
      expect(secret).toBe(SECRET);
      for (const shown of [running.child.pid, pid])
        expect(await readFile(`/proc/${shown}/environ`, "latin1")).not.toContain(SECRET);
    },
  );

  test("passes SIGTERM on and waits for the end", async () => {
    const running = clone.launch(["wait"]);
    await until("main.ts runs", () => running.stdout().includes("wait"));
    running.child.kill("SIGTERM");
    expect(await running.done).toMatchObject({
      code: 7,
      stdout: expect.stringContaining("stopped"),
    });
  });

  test("leaves no main.ts behind when it is killed", async () => {
    const running = clone.launch(["wait"]);
    await until("main.ts runs", () => running.stdout().includes("wait"));
    running.child.kill("SIGKILL");
    // The pipes close only when main.ts, which shares them, has ended as well.
    await running.done;
  });

  test("stops when the shell that npm had started it through is gone", async () => {
    const script = `${process.execPath} ${join(clone.root, "apps/cli/clipmill.mjs")} wait; true`;
    const npmExecpath = join(clone.root, "npm/npm-cli.js");
    const env = { ...process.env, npm_execpath: npmExecpath, npm_lifecycle_event: "start" };
    const shell = spawn("sh", ["-c", script], { cwd: tmpdir(), env });
    clone.own(shell);
    let stdout = "";
    shell.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    await until("main.ts runs", () => stdout.includes("wait"));
    shell.kill("SIGTERM");
    await once(shell, "close");
    expect(stdout).toContain("stopped");
  });

  test("says in one line what is wrong with an old Node, and exits with 2", async () => {
    const pretend = `data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "18.19.0" } })`;
    const { code, stderr, stdout } = await clone.launch(["run"], ["--import", pretend]).done;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/Node 20 or newer.*18\.19\.0/),
    ]);
    expect(await clone.npmCalls()).toEqual([]);
  });
});
