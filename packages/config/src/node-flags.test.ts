import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { API_NODE_FLAGS } from "./node-flags.ts";

it("has the flags of docker-compose.yml's API", () => {
  const compose = readFileSync(new URL("../../../docker-compose.yml", import.meta.url), "utf8");
  const command = ["node", ...API_NODE_FLAGS, "apps/api/src/main.ts"];
  expect(compose.replaceAll(/\s+/g, " ")).toContain(
    `command: [${command.map((word) => `"${word}"`).join(", ")}]`,
  );
});
