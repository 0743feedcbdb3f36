import { expect, test } from "vitest";
import { toArtifactKeys } from "./artifact-keys.ts";

test("artifacts are named by kind and variant, and those that do not exist are left out", () => {
  const [transcript, bulletpoint] = [{ name: "transcript" }, { name: "bulletpoint" }];
  const keys = toArtifactKeys([
    { kind: transcript, key: undefined },
    { kind: bulletpoint, key: "en" },
    { kind: bulletpoint, variant: "de", key: "de" },
  ]);
  expect(keys).toEqual({ bulletpoint: "en", "bulletpoint.de": "de" });
});
