import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { findFreePort } from "../../support/servers/free-port.ts";
import { hasProgram } from "../../support/servers/programs.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const readme = readFileSync(join(ROOT, "README.md"), "utf8");

/** What the README says of the API's address; here it gets a free port. */
const ADDRESS = "127.0.0.1:4600";
/** The server that the other commands talk to. */
const START = "npm start";
/** Running the tests within the tests would never end. */
const TESTS = "npm test";

const commands = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) =>
  toCommands(block),
);
const calls = commands.filter((command) => command !== START && command !== TESTS);

const { ffmpeg, pocketsphinx } = inject("tools");
const isReady = ffmpeg && pocketsphinx && hasProgram("curl", "--version");

/** One of each command; a backslash or a pipe at the end of a line goes on in the next. Comments are left out. */
function toCommands(block: string): string[] {
  return block
    .replaceAll(/ +# .*$/gm, "")
    .replaceAll(/\\\n +/g, "")
    .replaceAll(/\|\n +/g, "| ")
    .split("\n")
    .filter((line) => line !== "");
}

/** As somebody who has set nothing: no key, and no server but those that `npm start` brings. */
function toEnvironment(home: string, port: number): NodeJS.ProcessEnv {
  const given = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|TIKLIVE_|ANTHROPIC_|ASR_|LLM_|POST_|CLIPMILL_|VITEST)|_URL$/.test(name),
  );
  const { NODE_ENV: _ofTheTests, ...env } = Object.fromEntries(given);
  return { ...env, CLIPMILL_HOME: home, PORT: String(port) };
}

let home: string;
let port: number;
let served: ChildProcess;
let output = "";

function launch(command: string): ChildProcess {
  const text = command.replaceAll(ADDRESS, `127.0.0.1:${port}`);
  // A group of its own: Ctrl-C reaches all of it, as at a terminal.
  return spawn("sh", ["-c", text], { cwd: ROOT, env: toEnvironment(home, port), detached: true });
}

async function run(command: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = launch(command);
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}

test("the README names no command outside of the blocks that are run here", () => {
  expect(commands).toEqual(expect.arrayContaining([START, TESTS]));
  expect(calls.length).toBeGreaterThan(5);
  const inText = [...readme.matchAll(/`((?:npm|npx|curl|node|docker) [^`\n]+)`/g)];
  for (const [, command = ""] of inText) {
    // They take minutes, and measure the machine.
    const bench = /^npm run bench -- (\w+)$/.exec(command)?.[1];
    if (bench === undefined) expect(commands).toContain(command);
    else expect(existsSync(join(ROOT, `test/bench/${bench}.bench.ts`))).toBe(true);
  }
});

describe.skipIf(!isReady)("the README's commands (needs ffmpeg, pocketsphinx and curl)", () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "clipmill-readme-"));
    port = await findFreePort();
    // Sees to it that the tests' tools count as installed: with a lockfile that changed since, `npm start` would install
    // anew without them, under the running tests.
    await run("npm run -s bench");
    served = launch(START);
    for (const stream of [served.stdout, served.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
    const ended = once(served, "close").then(() => {
      throw new Error(`npm start ended:\n${output}`);
    });
    const up = new Promise<void>((done) => {
      served.stderr?.on("data", () => {
        if (output.includes("clipmill: up;")) done();
      });
    });
    await Promise.race([up, ended]);
    ended.catch(() => {});
    // The sample posts take 40 s on two idle cores, and three times that beside other tests.
  }, 480_000);

  afterAll(async () => {
    if (served.pid !== undefined && served.exitCode === null) {
      const closed = once(served, "close");
      process.kill(-served.pid, "SIGINT");
      await closed;
    }
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  test(`${START} runs the sample posts, and serves`, () => {
    expect(output).toContain("demo: 8 of 8 as expected");
    expect(output).toContain(`http://127.0.0.1:${port}/queues`);
  });

  test("npx clipmill dead show knows the numbers that dead list names, and says so of others", async () => {
    const listed = await run("npx clipmill dead list --json");
    const ids = listed.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { id: number }).id);
    for (const id of ids) {
      expect(await run(`npx clipmill dead show ${id}`)).toMatchObject({ code: 0, stderr: "" });
    }
    expect(await run("npx clipmill dead show 999999")).toMatchObject({
      code: 1,
      stderr:
        "clipmill: nothing dead has the number 999999: `clipmill dead list` names those that there are\n",
    });
  }, 120_000);

  test("the summaries of the sample posts read as sentences", () => {
    const told = [...output.matchAll(/ done .*“(.*)”$/gm)].map(([, tldr = ""]) => tldr);
    expect(told.length).toBeGreaterThan(3);
    for (const tldr of told) expect(tldr).toMatch(/^\p{Lu}.*[.!?…]”?$/su);
  });

  test.each(calls)(
    "%s",
    async (command) => {
      const { code, stdout, stderr } = await run(command);
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      if (!command.includes("--json") && !command.includes("curl")) return;
      const answer = JSON.parse(stdout) as Record<string, unknown>;
      // A problem document has its HTTP status as a number; a job's status is a word.
      expect(answer["status"]).not.toBeTypeOf("number");
    },
    120_000,
  );
});
