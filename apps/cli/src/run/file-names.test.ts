import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findFileSign, findNearestName } from "./file-names.ts";

test.each([
  "my clip.mp4",
  "clip.MOV",
  "./x",
  "../x",
  "/x",
  "~/clip.mp4",
  "C:\\clip.mp4",
  "🍅 soup.webm",
  "clip.xyz",
])("%s can only be a file", (text) => {
  expect(findFileSign(text)).not.toBeNull();
});

test.each([
  "https://www.tiktok.com/@a/video/7000000000000000001",
  "www.tiktok.com/@a/video/7000000000000000001.mp4",
  "vm.tiktok.com/ZMabc",
  "7000000000000000001",
  "look at this https://vm.tiktok.com/x.mp4",
  "https://cdn.example/clip.mp4",
  "hello",
])("%s may be a link", (text) => {
  expect(findFileSign(text)).toBeNull();
});

test("the nearest name is the one that was meant, or none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "clipmill-names-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const names = ["my-clip.mp4", "soup.mp4", "Cafe\u0301.mp4", "notes.txt"];
  await Promise.all(names.map((name) => writeFile(join(folder, name), "")));
  const nearest = (name: string) => findNearestName(join(folder, name));
  expect(await nearest("my clip.mp4")).toBe("my-clip.mp4");
  expect(await nearest("SUOP.mp4")).toBe("soup.mp4");
  expect(await nearest("soup")).toBe("soup.mp4");
  expect(await nearest("Caf\u00e9.mp4")).toBe("Cafe\u0301.mp4");
  expect(await nearest("elsewhere.mp4")).toBeNull();
  expect(await nearest("notes")).toBeNull();
  expect(await findNearestName(join(folder, "none", "soup.mp4"))).toBeNull();
});
