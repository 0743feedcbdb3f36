import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMediaTools } from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createPocketsphinx } from "../../../packages/providers/src/asr/pocketsphinx/create-pocketsphinx.ts";
import { findPocketsphinx } from "../../../packages/providers/src/asr/pocketsphinx/find-pocketsphinx.ts";
import { createTesseract } from "../../../packages/providers/src/ocr/tesseract/create-tesseract.ts";
import { findTesseract } from "../../../packages/providers/src/ocr/tesseract/find-tesseract.ts";
import { findYtDlp } from "../../../packages/providers/src/posts/ytdlp/find-ytdlp.ts";
import { createYtDlpSource } from "../../../packages/providers/src/posts/ytdlp/ytdlp-source.ts";

const { signal } = new AbortController();
const SECRETS = {
  ANTHROPIC_API_KEY: "secret-a",
  TIKLIVE_API_KEY: "secret-b",
  DATABASE_URL: "postgres://clipmill:secret-c@127.0.0.1/clipmill",
  PROXY_DE: "http://user:secret-d@127.0.0.1:1",
};
const SETTINGS = {
  HTTPS_PROXY: "http://127.0.0.1:1",
  no_proxy: "localhost",
  SSL_CERT_FILE: "/certs.pem",
  TESSDATA_PREFIX: "/tessdata",
};

describe("programs that work on what strangers made", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-environment-"));
    path = join(directory, "program");
    // In place of each of them; it writes no file and prints nothing that any of them would.
    await writeFile(path, `#!/bin/sh\nenv > "${directory}/seen"\n`, { mode: 0o755 });
    await writeFile(join(directory, "clip.mp3"), "ID3 and nothing that matters here");
    const png = Buffer.from("89504e470d0a1a0a0000000d", "hex");
    await writeFile(join(directory, "picture.png"), png);
    for (const [name, value] of Object.entries({ ...SECRETS, ...SETTINGS }))
      vi.stubEnv(name, value);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  });

  /** What a program of this name saw, by variable. */
  async function see(call: () => Promise<unknown>): Promise<Record<string, string>> {
    // How the call ends is not what this is about.
    await call().catch(() => {});
    const lines = (await readFile(join(directory, "seen"), "utf8")).trim().split("\n");
    return Object.fromEntries(
      lines.map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]),
    );
  }

  const clip = () => join(directory, "clip.mp3");
  const media = () => createMediaTools({ ffmpegPath: path, ffprobePath: path });
  const heard = () => ({
    wavPath: clip(),
    mediaSha256: "0".repeat(64),
    durationMs: 1_000,
    language: null,
  });
  const postId = "7345678901234567890";
  const picture = () => join(directory, "picture.png");

  test("would see our keys, were they started with our environment (negative control)", async () => {
    const seen = await see(async () => execFileSync(path));
    expect(seen).toMatchObject(SECRETS);
  });

  test.each<[what: string, call: () => Promise<unknown>, given: (keyof typeof SETTINGS)[]]>([
    ["ffmpeg", () => media().toWav(clip(), join(directory, "out.wav"), { signal }), []],
    ["ffprobe", () => media().probe(clip(), { signal }), []],
    ["pocketsphinx", () => createPocketsphinx({ path }).transcribe(heard(), { signal }), []],
    ["pocketsphinx, looked for,", () => findPocketsphinx(path), []],
    [
      "tesseract",
      () => createTesseract({ path }).readLines(picture(), { signal }),
      ["TESSDATA_PREFIX"],
    ],
    ["tesseract, looked for,", () => findTesseract(path), ["TESSDATA_PREFIX"]],
    [
      "yt-dlp",
      () => createYtDlpSource({ path }).fetchPost({ postId, link: null }, { signal }),
      ["HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE"],
    ],
    ["yt-dlp, looked for,", () => findYtDlp(path), []],
  ])("%s sees PATH, and of ours no more than it needs", async (_what, call, given) => {
    const seen = await see(call);
    expect(seen["PATH"]).toBe(process.env["PATH"]);
    const ours = Object.keys({ ...SECRETS, ...SETTINGS }).filter((name) => name in seen);
    expect(ours.sort()).toEqual(given.toSorted());
    expect(JSON.stringify(seen)).not.toContain("secret");
  });
});
