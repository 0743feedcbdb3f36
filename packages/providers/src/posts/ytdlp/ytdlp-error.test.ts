import { expect, test } from "vitest";
import { ProgramError } from "../../programs/run-program.ts";
import { toYtDlpError } from "./ytdlp-error.ts";

const ID = "7345678901234567890";
const said = (line: string) =>
  toYtDlpError(
    new ProgramError("exit", 1, `WARNING: old\nERROR: [TikTok] ${ID}: ${line}\n`),
    "ytdlp",
  );

test.each([
  ["You do not have permission to view this post. Log into an account that has access", "private"],
  ["Video not available, status code 10216", "private"],
  ["Video not available, status code 10222", "private"],
  ["This video is private", "private"],
  ["Your IP address is blocked from accessing this post", "blocked"],
  ["Video not available, status code 10204", "blocked"],
  ["TikTok is requiring login for access to this content", "blocked"],
  ["Unable to solve JS challenge", "blocked"],
  ["Unable to download webpage: HTTP Error 403: Forbidden", "blocked"],
  ["Unable to download webpage: HTTP Error 429: Too Many Requests", "throttled"],
  ["Unable to download webpage: HTTP Error 503: Service Unavailable", "upstream_unavailable"],
  ["Failed to resolve 'www.tiktok.com' (caused by TransportError('x'))", "upstream_unavailable"],
  ["The read operation timed out", "upstream_unavailable"],
  ["Unsupported URL: https://www.tiktok.com/@a/photo/1", "unsupported"],
  ["This post may not be comfortable for some audiences. Log in for access", "unsupported"],
  ["This video is age-restricted. Log in for access", "unsupported"],
  ["Video not available, status code 10231", "bad_response"],
  ["Unable to extract universal data for rehydration", "bad_response"],
])("%s is %s", (line, code) => {
  expect(said(line)).toMatchObject({ code, upstream: "ytdlp" });
});

test("a post that is called deleted is not gone: yt-dlp cannot know", () => {
  expect(said("Unable to download webpage: HTTP Error 404: Not Found").code).toBe("bad_response");
});

test("only the last error counts, and its words stay out of the message", () => {
  const stderr = "ERROR: HTTP Error 429\nERROR: something https://signed?x=secret\n";
  const error = toYtDlpError(new ProgramError("exit", 1, stderr), "ytdlp");
  expect(error.code).toBe("bad_response");
  expect(error.message).not.toContain("secret");
});

test.each([
  ["missing", "engine_unavailable"],
  ["timeout", "upstream_unavailable"],
  ["output", "bad_response"],
] as const)("a program that is %s is %s", (reason, code) => {
  expect(toYtDlpError(new ProgramError(reason, null), "ytdlp").code).toBe(code);
});
