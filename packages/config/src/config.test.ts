import { expect, test } from "vitest";
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
