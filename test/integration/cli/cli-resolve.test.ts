import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createSandbox, type Sandbox, samplePosts } from "@clipmill/sandbox";
import { afterAll, beforeAll, expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../../../apps/cli/src/main.ts", import.meta.url));
const ID = "7345678901234567890";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await createSandbox();
});
afterAll(() => sandbox.close());

function resolve(...args: string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  return new Promise((done) => {
    const env = { ...process.env, CLIPMILL_SANDBOX_URL: sandbox.url, NO_COLOR: "1" };
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
    { link: links[0], code: "gone" },
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

test("no link at all is a wrong command line", async () => {
  expect(await resolve("--json")).toMatchObject({ code: 2, lines: [] });
});
