import { loadConfig } from "@clipmill/config";
import type { PostSources } from "@clipmill/providers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSources } from "../../../apps/worker/src/sources.ts";
import { type Loopback, startLoopback } from "../../support/fakes/loopback.ts";

const ID = "7345678901234567890";
const { signal } = new AbortController();
const DETAIL = { id: ID, play: "https://v16.tiktokcdn.com/a" };

let server: Loopback;
let sources: PostSources;
let holdOffs: [source: string, forMs: number][];
let headers: Record<string, string>;

beforeEach(async () => {
  holdOffs = [];
  headers = {};
  server = await startLoopback((request, response) => {
    const isTikwm = request.url?.startsWith("/tikwm/") === true;
    response.writeHead(200, headers);
    response.end(JSON.stringify(isTikwm ? { code: 0, data: DETAIL } : DETAIL));
  });
  const config = loadConfig({
    TIKLIVE_API_KEY: "key",
    TIKLIVE_BASE_URL: server.origin,
    TIKWM_BASE_URL: `${server.origin}/tikwm`,
    CLIPMILL_SANDBOX_URL: `${server.origin}/sandbox`,
  });
  const storage = {} as Parameters<typeof createSources>[1]["storage"];
  const files = { storage, readDetail: () => Promise.resolve(null) };
  sources = await createSources(config, files, (...holdOff) => void holdOffs.push(holdOff));
});
afterEach(async () => {
  await sources.close();
  await server.close();
});

const fetchFrom = (source: string) =>
  sources.all.find(({ id }) => id === source)?.fetchPost({ postId: ID, link: null }, { signal });

test.each(["tiklive", "tiklive@sandbox", "tikwm"])(
  "the worker's %s tells under its own name when an answer leaves no call",
  async (source) => {
    headers = { "x-ratelimit-remaining": "1", "x-ratelimit-reset": "9" };
    expect((await fetchFrom(source))?.post.postId).toBe(ID);
    expect(holdOffs).toEqual([]);
    headers = { ratelimit: '"default";r=0;t=9' };
    expect((await fetchFrom(source))?.post.postId).toBe(ID);
    expect(holdOffs).toEqual([[source, 9_000]]);
  },
);
