import { describe, expect, test } from "vitest";
import { loadConfig } from "./config.ts";

test("proxies are read by country, from names with two upper-case letters only", () => {
  const config = loadConfig({
    PROXY_DE: "http://user:secret@proxy.example:8080/",
    PROXY_US: "",
    PROXY_TIMEOUT: "no country",
    proxy_fr: "http://proxy.example",
  });
  expect(config.PROXIES).toEqual({ DE: "http://user:secret@proxy.example:8080" });
});

test("a proxy that is no http(s) address is named, and its value is not told", () => {
  const load = () => loadConfig({ PROXY_DE: "socks5://user:secret@proxy.example" });
  expect(load).toThrow("PROXY_DE");
  expect(load).not.toThrow("secret");
});

test("STORAGE=s3 names everything that it lacks", () => {
  const load = () => loadConfig({ STORAGE: "s3", S3_BUCKET: "clips" });
  for (const name of ["S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]) {
    expect(load).toThrow(`${name}: STORAGE=s3 needs it`);
  }
  expect(load).not.toThrow("S3_BUCKET:");
  expect(loadConfig({}).STORAGE).toBe("file");
});

describe("a key", () => {
  const KEYS = ["ASR_API_KEY", "ANTHROPIC_API_KEY", "TIKLIVE_API_KEY", "S3_SECRET_ACCESS_KEY"];

  test.each(KEYS)("%s loses blanks and line breaks around it", (name) => {
    expect(loadConfig({ [name]: " abc-1\r\n" })).toMatchObject({ [name]: "abc-1" });
  });

  test.each<[what: string, key: string, problem: string]>([
    ["an en dash", "sk\u2013secret", "character 3 is U+2013"],
    ["a space within", "sk secret", "character 3 is U+0020"],
    ["a line break within", "sk\nsecret", "character 3 is U+000A"],
    ["a mark that nobody sees", "sk-secret\u200b", "character 10 is U+200B"],
    ["quotes around it", '"sk-secret"', "stands in quotes"],
    ["blanks only", " \n", "blanks only"],
  ])("with %s is refused by name, and not told", (_what, key, problem) => {
    for (const name of KEYS) {
      const load = () => loadConfig({ [name]: key });
      expect(load).toThrow(`${name}: `);
      expect(load).toThrow(problem);
      expect(load).not.toThrow("secret");
    }
  });
});

test("an address loses blanks and line breaks around it", () => {
  expect(loadConfig({ ASR_BASE_URL: " http://127.0.0.1:8000/v1/\n" }).ASR_BASE_URL).toBe(
    "http://127.0.0.1:8000/v1",
  );
});
