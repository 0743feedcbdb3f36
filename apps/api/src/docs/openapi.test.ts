import { readFileSync, writeFileSync } from "node:fs";
import { createLogger } from "@clipmill/config";
import { validate } from "@scalar/openapi-parser";
import { describe, expect, it } from "vitest";
import { buildApp } from "../app.ts";
import type { ApiDeps } from "../deps.ts";

const COMMITTED = new URL("../../openapi.json", import.meta.url);

async function loadDocument(): Promise<Record<string, object>> {
  // Describing the routes calls none of what they need.
  const log = createLogger({ LOG_LEVEL: "silent" }, "api");
  const deps = { log, answerMemoryBytes: 0 } as unknown as ApiDeps;
  const app = await buildApp(deps);
  const { body } = await app.inject("/openapi.json");
  await app.close();
  return JSON.parse(body) as Record<string, object>;
}

describe("the OpenAPI document", () => {
  it("is valid 3.1", async () => {
    const document = await loadDocument();
    const { valid, errors } = await validate(document);
    expect(errors ?? []).toEqual([]);
    expect({ valid, version: document["openapi"] }).toEqual({ valid: true, version: "3.1.0" });
  });

  it("is refused by the validator when it is broken", async () => {
    const document = await loadDocument();
    expect(
      (await validate({ ...document, paths: { "/x": { get: { responses: 1 } } } })).valid,
    ).toBe(false);
  });

  it("lists exactly the routes for programs", async () => {
    const { paths } = await loadDocument();
    const operations = Object.entries(paths ?? {}).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method} ${path}`),
    );
    expect(operations.sort()).toEqual([
      "get /livez",
      "get /readyz",
      "get /v1/backfills/{id}",
      "get /v1/dead",
      "get /v1/dead/{id}",
      "get /v1/jobs/{id}",
      "get /v1/posts/{aweme_id}",
      "post /v1/backfills",
      "post /v1/dead/drop",
      "post /v1/dead/retry",
      "post /v1/jobs",
      "post /v1/jobs/{id}/cancel",
    ]);
  });

  it("is the committed one; UPDATE_OPENAPI=1 writes it anew, then `npm run format`", async () => {
    const served = await loadDocument();
    // oxlint-disable-next-line node/no-process-env -- a switch of this test, no setting of the product
    if (process.env["UPDATE_OPENAPI"] === "1") writeFileSync(COMMITTED, JSON.stringify(served));
    expect(served).toEqual(JSON.parse(readFileSync(COMMITTED, "utf8")));
  });
});
