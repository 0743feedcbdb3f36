import { expect, test } from "vitest";
import { loadConfig } from "@clipmill/config";
import { wantsSandbox } from "./wants-sandbox.ts";

test.each([
  [{}, true],
  [{ TIKLIVE_API_KEY: "k" }, false],
  [{ POST_SOURCES: "ytdlp" }, false],
  [{ POST_SOURCES: "ytdlp,tikwm" }, false],
  [{ POST_SOURCES: "tiklive,ytdlp" }, true],
  [{ POST_SOURCES: "ytdlp", CLIPMILL_SANDBOX: "on" }, true],
  [{ CLIPMILL_SANDBOX: "off" }, false],
])("with %o: %s", (env, wanted) => {
  expect(wantsSandbox(loadConfig(env))).toBe(wanted);
});
