import { describe, expect, it } from "vitest";
import { postJob, startTestApi, type TestApi } from "../../support/posts/test-api.ts";

const HOST = "127.0.0.1:4600";
const BODY = { url: "7000000000000000001" };

const FOREIGN: Record<string, string>[] = [
  { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
  { "sec-fetch-site": "same-site", origin: "http://127.0.0.1:8080" },
  { origin: "https://evil.example" },
  { origin: "http://127.0.0.1:8080" },
  { origin: "null" },
];

const OWN: Record<string, string>[] = [
  {},
  { "sec-fetch-site": "same-origin", origin: `http://${HOST}` },
  { "sec-fetch-site": "none" },
  { origin: `http://${HOST}` },
];

/** Of every route that the API describes and that does more than read. */
async function findWrites({ app }: TestApi) {
  const { paths } = (await app.inject("/openapi.json")).json<{ paths: Record<string, object> }>();
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== "get")
      .map((method) => ({
        method: method.toUpperCase() as "POST",
        url: path.replace(/\{\w+\}/g, "x"),
      })),
  );
}

describe("a page of another site", () => {
  it.each(FOREIGN)("may write nowhere: %o", async (headers) => {
    const api = await startTestApi();
    const writes = await findWrites(api);
    expect(writes).toContainEqual({ method: "POST", url: "/v1/backfills" });
    for (const write of writes) {
      const response = await api.app.inject({ ...write, headers: { host: HOST, ...headers } });
      expect(response.statusCode).toBe(403);
      expect(response.headers["content-type"]).toContain("application/problem+json");
      expect(response.json()).toMatchObject({ code: "cross_site", instance: write.url });
    }
  });

  it("cannot start a backfill with a form", async () => {
    const api = await startTestApi();
    const headers = { host: HOST, origin: "https://evil.example", "content-type": "text/plain" };
    const upload = { method: "POST", url: "/v1/backfills", headers, payload: BODY.url } as const;
    expect((await api.app.inject(upload)).json()).toMatchObject({ code: "cross_site" });
  });

  it("gets no further where it spells the path in escapes", async () => {
    const api = await startTestApi();
    const headers = { host: HOST, "sec-fetch-site": "cross-site" };
    const write = { method: "POST", url: "/%761/jobs", headers, payload: BODY } as const;
    expect((await api.app.inject(write)).statusCode).toBe(403);
    expect(api.fake.submissions).toEqual([]);
  });

  it("may read, as a link to us does", async () => {
    const { app } = await startTestApi();
    const headers = { host: HOST, "sec-fetch-site": "cross-site" };
    expect((await app.inject({ url: "/v1/dead", headers })).statusCode).toBe(200);
  });
});

it.each(OWN)("programs and our own pages write as before: %o", async (headers) => {
  const api = await startTestApi();
  expect((await postJob(api, BODY, { host: HOST, ...headers })).statusCode).toBe(202);
});
