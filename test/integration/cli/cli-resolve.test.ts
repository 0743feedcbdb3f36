import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSandbox, type Sandbox, samplePosts } from "@clipmill/sandbox";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

const MAIN = fileURLToPath(new URL("../../../apps/cli/src/main.ts", import.meta.url));
const ID = "7345678901234567890";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await createSandbox();
});
afterAll(() => sandbox.close());

const resolve = (...args: string[]) => resolveIn({ CLIPMILL_SANDBOX_URL: sandbox.url }, ...args);

function resolveIn(
  settings: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ code: number; lines: string[]; errors: string }> {
  return new Promise((done) => {
    const env = { ...process.env, ...settings, NO_COLOR: "1" };
    execFile(process.execPath, [MAIN, "resolve", ...args], { env }, (error, stdout, stderr) => {
      const code = typeof error?.code === "number" ? error.code : 0;
      done({ code, lines: stdout.split("\n").filter((line) => line !== ""), errors: stderr });
    });
  });
}

test("links, ids, share texts and short links are resolved, one object a line", async () => {
  const [post] = samplePosts();
  const short = `https://vm.tiktok.com/${post?.shortCode}/`;
  const photo = `look at this https://www.tiktok.com/@ada/photo/${ID}?x=1`;
  const { code, lines } = await resolve("--json", ID, photo, short);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { link: ID, aweme_id: ID, kind: "video" },
    { link: photo, aweme_id: ID, kind: "photo" },
    { link: short, aweme_id: post?.id, kind: "video" },
  ]);
  expect(code).toBe(0);
});

test("one link that stands for no post makes the exit code 1, and the others are answered", async () => {
  const links = [
    "https://vm.tiktok.com/ZTnobody/",
    "https://www.tiktok.com/@ada",
    "https://evil.io/",
    ID,
  ];
  const { code, lines } = await resolve("--json", ...links);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { link: links[0], code: "unsupported" },
    { link: links[1], code: "not_a_post" },
    { link: links[2], code: "invalid_link" },
    { link: ID, aweme_id: ID, kind: "video" },
  ]);
  expect(code).toBe(1);
});

test("without --json a person reads why", async () => {
  const { code, lines } = await resolve("https://www.tiktok.com/@ada", "\u001b[2Jhello");
  expect(lines[0]).toMatch(/a profile.*\(not_a_post\)$/);
  expect(lines[1]).not.toContain("\u001b");
  expect(code).toBe(1);
});

test("short links are followed where the API would follow them, also without one that runs", async () => {
  const [post] = samplePosts();
  const home = await mkdtemp(join(tmpdir(), "clipmill-resolve-"));
  onTestFinished(() => rm(home, { recursive: true }));
  const short = [`https://vm.tiktok.com/${post?.shortCode}/`, "https://lite.tiktok.com/t/ZSnone/"];
  const settings = {
    CLIPMILL_HOME: home,
    CLIPMILL_SANDBOX_URL: "",
    TIKLIVE_API_KEY: "",
    POST_SOURCES: "",
  };
  const { code, lines } = await resolveIn(settings, ...short);
  expect(lines[0]).toContain(`: ${post?.id} (video)`);
  expect(lines[1]).toMatch(
    /the sandbox knows these 8 posts: 7000000000000000001, .*set TIKLIVE_API_KEY, or POST_SOURCES=ytdlp \(unsupported\)$/,
  );
  expect(code).toBe(1);
});

test("no link at all is a wrong command line", async () => {
  expect(await resolve("--json")).toMatchObject({ code: 2, lines: [] });
});
