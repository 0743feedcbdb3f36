import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAIN } from "../../../apps/cli/src/paths.ts";

let home: string;
/** Its port is taken. */
const squatter = createServer();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "clipmill-refusals-"));
  await once(squatter.listen(0, "127.0.0.1"), "listening");
});

afterAll(async () => {
  squatter.close();
  await rm(home, { recursive: true, force: true });
});

async function clipmill(args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"], CLIPMILL_HOME: home, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number];
  return { code, output };
}

const takenPort = () => String((squatter.address() as AddressInfo).port);

describe("a start that cannot work says in plain lines what to change, and ends with 2", () => {
  test.each<[what: string, args: string[], env: () => NodeJS.ProcessEnv, expected: RegExp]>([
    ["a command that is misspelt", ["runn", "x"], () => ({}), /Did you mean run\?/],
    ["an option that is misspelt", ["run", "--jsn", "x"], () => ({}), /Did you mean --json\?/],
    [
      "a port that is taken",
      ["up"],
      () => ({ PORT: takenPort() }),
      /PORT: port \d+ is taken; stop what/,
    ],
    [
      "a port that is a word",
      ["up"],
      () => ({ PORT: "abc" }),
      /PORT: not a number\. Port of the API/,
    ],
    [
      "a foreign address",
      ["up"],
      () => ({ HOST: "192.0.2.1" }),
      /HOST: this machine has no address 192/,
    ],
    [
      "a database that is no URL",
      ["up"],
      () => ({ DATABASE_URL: "localhost:5432/x" }),
      /DATABASE_URL: not an address such as postgres:\/\//,
    ],
    [
      "a database that is away",
      ["up"],
      () => ({ DATABASE_URL: "postgres://u:hush@127.0.0.1:1/x" }),
      /DATABASE_URL: cannot use the database at 127\.0\.0\.1:1\/x: cannot connect \(ECONNREFUSED\)\. Fix it:/,
    ],
    [
      "a Redis that is away",
      ["up"],
      () => ({ REDIS_URL: "redis://:hush@127.0.0.1:1" }),
      /REDIS_URL: cannot talk to the server \(ECONNREFUSED\)\. Fix it: start it/,
    ],
    [
      "an engine that there is not",
      ["up"],
      () => ({ ASR_ENGINES: "whisper" }),
      /ASR_ENGINES lists "whisper"; the engines are openai, pocketsphinx/,
    ],
    [
      "an ffmpeg that is not there",
      ["up"],
      () => ({ FFMPEG_PATH: "/nope/ffmpeg" }),
      /FFMPEG_PATH: \/nope\/ffmpeg does not run, .*: correct it, or unset it/,
    ],
    [
      "a word for on or off",
      ["up"],
      () => ({ CLIPMILL_SANDBOX: "maybe" }),
      /CLIPMILL_SANDBOX: .*"auto"\|"on"\|"off"/,
    ],
  ])(
    "%s",
    async (_what, args, env, expected) => {
      const { code, output } = await clipmill(args, env());
      expect(output).toMatch(expected);
      expect(output).not.toMatch(/^ {4}at |hush/m);
      expect(code).toBe(2);
      // On a busy machine the program alone takes many seconds to load.
    },
    120_000,
  );

  test.each(["--version", "-v", "version"])("%s tells the version", async (asked) => {
    expect(await clipmill([asked], {})).toEqual({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as unknown,
    });
  });

  test("nothing that a shell usually has is needed: HOME, a locale, a known time zone", async () => {
    const env = { HOME: undefined, LC_ALL: "C", TZ: "Nowhere/Land", NO_COLOR: "1" };
    const { code, output } = await clipmill(["resolve", "7000000000000000001"], env);
    expect({ code, output }).toEqual({
      code: 0,
      output: "7000000000000000001: 7000000000000000001 (video)\n",
    });
  });
});
