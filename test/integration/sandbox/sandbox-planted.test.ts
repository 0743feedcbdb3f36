import { createSandbox, Fault, type PlantedPost, type Sandbox } from "@clipmill/sandbox";
import { afterEach, expect, test } from "vitest";

const ID = "7600000000000000001";
const CONTENT = Buffer.from("not much of a video");
const headers = { "x-api-key": "sandbox" };
let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function plant(
  faults: readonly Fault[] = [],
  file: Partial<PlantedPost["files"][number]> = {},
) {
  const video = { name: `${ID}.mp4`, role: "video", contentType: "video/mp4" } as const;
  const files = [{ ...video, read: () => CONTENT, ...file }];
  sandbox = await createSandbox({ posts: [{ id: ID, kind: "speech", files, faults }] });
}

const fetchDetail = () => fetch(`${sandbox.url}/tiklive/post-detail/?url=${ID}`, { headers });
const findLink = async () => ((await (await fetchDetail()).json()) as { play: string }).play;
const fetchFile = async () => await fetch(await findLink(), { redirect: "manual" });

test("a planted post is told of, served, and found by its short link", async () => {
  await plant();
  expect(await (await fetchDetail()).json()).toMatchObject({ id: ID });
  expect(Buffer.from(await (await fetchFile()).arrayBuffer())).toEqual(CONTENT);
  const short = await fetch(`${sandbox.url}/t/ZT${ID}`, { redirect: "manual" });
  expect(short.headers.get("location")).toContain(`/video/${ID}?`);
  expect(sandbox.calls().cdn.posts).toEqual({ [ID]: 1 });
});

test("captions stand in no detail, but are served", async () => {
  await plant([], { name: `${ID}.vtt`, role: "captions", contentType: "text/vtt" });
  expect(await (await fetchDetail()).text()).not.toContain(".vtt");
  expect(await (await fetch(sandbox.toLink(`${ID}.vtt`))).text()).toBe(String(CONTENT));
});

test("a file may be said to lie elsewhere", async () => {
  await plant([], { link: "http://127.0.0.1:9/clip.mp4" });
  expect(await findLink()).toBe("http://127.0.0.1:9/clip.mp4");
});

test("a firewall blocks with a page that is no JSON", async () => {
  await plant([{ kind: "blocked" }]);
  const response = await fetchDetail();
  expect(response.status).toBe(403);
  expect(await response.text()).toContain("<html>");
});

test("an oversized file announces 100 GB and ends before them", async () => {
  await plant([{ kind: "oversized" }]);
  const response = await fetchFile();
  expect(response.headers.get("content-length")).toBe("100000000000");
  await expect(response.arrayBuffer()).rejects.toThrow();
});

test("an endless file has no length and goes on until the caller hangs up", async () => {
  await plant([{ kind: "endless" }]);
  const response = await fetchFile();
  expect(response.headers.get("content-length")).toBeNull();
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > 100 * CONTENT.length) break;
  }
  expect(bytes).toBeGreaterThan(100 * CONTENT.length);
});

test("a redirect leads where it was told to", async () => {
  await plant([{ kind: "redirect", location: "https://www.tiktok.com/@ada" }]);
  const response = await fetchFile();
  expect(response.status).toBe(302);
  expect(response.headers.get("location")).toBe("https://www.tiktok.com/@ada");
  expect(Fault.safeParse({ kind: "redirect" }).success).toBe(false);
  expect(Fault.safeParse({ kind: "html", location: "https://x.example" }).success).toBe(false);
});
