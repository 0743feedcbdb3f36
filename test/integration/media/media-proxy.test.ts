import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import {
  createCdnFetcher,
  createFileStorage,
  createSafeHttp,
  isCdnHost,
} from "@clipmill/providers";
import { afterEach, describe, expect, test } from "vitest";
import { startLoopback } from "../../support/fakes/loopback.ts";

const signal = new AbortController().signal;
const CLIP = Buffer.concat([Buffer.from("\0\0\0\x18ftypisom"), Buffer.alloc(5_000, 1)]);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Tunnel {
  target: string | undefined;
  authorization: string | undefined;
}

/** A proxy that opens tunnels, and the tunnels that were asked of it. */
async function startProxy({ status = 200 }: { status?: number } = {}) {
  const tunnels: Tunnel[] = [];
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connect", (request, socket) => {
    socket.on("error", () => {});
    tunnels.push({
      target: request.url,
      authorization: request.headers["proxy-authorization"],
    });
    if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const [host = "", port = ""] = (request.url ?? "").split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://user:secret@127.0.0.1:${port}`, tunnels };
}

async function createFetcher(origin: string, proxies: Record<string, string>) {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-proxy-"));
  closing.push(() => rm(directory, { recursive: true }));
  const storage = await createFileStorage({ directory });
  const http = createSafeHttp({ allowHost: isCdnHost, allowLoopback: origin, upstream: "cdn" });
  closing.push(http.close);
  return createCdnFetcher({ http, storage, proxies });
}

describe("a fetch through a country's proxy", () => {
  test("goes through a tunnel, with the proxy's own password", async () => {
    const cdn = await startLoopback((_request, response) => response.end(CLIP));
    closing.push(cdn.close);
    const proxy = await startProxy();
    const fetcher = await createFetcher(cdn.origin, { DE: proxy.url });
    const url = `${cdn.origin}/clip.mp4?signature=s`;
    const { bytes } = await fetcher.fetch(url, { signal, maxBytes: 10_000, proxyCountry: "de" });
    expect(bytes).toBe(CLIP.length);
    const authorization = `Basic ${Buffer.from("user:secret").toString("base64")}`;
    expect(proxy.tunnels).toEqual([{ target: `127.0.0.1:${cdn.port}`, authorization }]);
    expect(cdn.requests).toEqual(["GET /clip.mp4?signature=s"]);
    // Without the country it goes directly.
    await fetcher.fetch(url, { signal, maxBytes: 10_000 });
    expect(proxy.tunnels).toHaveLength(1);
  });

  test("to a country without a proxy is region_locked, and nobody is called", async () => {
    const cdn = await startLoopback((_request, response) => response.end(CLIP));
    closing.push(cdn.close);
    const fetcher = await createFetcher(cdn.origin, {});
    for (const proxyCountry of ["DE", "constructor"]) {
      const fetched = fetcher.fetch(`${cdn.origin}/`, { signal, maxBytes: 10_000, proxyCountry });
      await expect(fetched).rejects.toMatchObject({ code: "region_locked" });
    }
    expect(cdn.connections()).toBe(0);
  });

  test.each([
    "https://evil.io/clip.mp4",
    "http://169.254.169.254/latest/meta-data/",
    "https://user@v16.tiktokcdn.com/clip.mp4",
    "https://v16.tiktokcdn.com:8443/clip.mp4",
  ])("keeps the rules about links: %s is refused before the proxy hears of it", async (url) => {
    const proxy = await startProxy();
    const fetcher = await createFetcher("http://127.0.0.1:1", { DE: proxy.url });
    const fetched = fetcher.fetch(url, { signal, maxBytes: 10_000, proxyCountry: "DE" });
    await expect(fetched).rejects.toMatchObject({ code: "bad_response" });
    expect(proxy.tunnels).toEqual([]);
  });

  test("keeps them at a redirect too", async () => {
    const inside = await startLoopback((_request, response) => response.end(CLIP));
    closing.push(inside.close);
    const cdn = await startLoopback((_request, response) =>
      response.writeHead(302, { location: `${inside.origin}/secret` }).end(),
    );
    closing.push(cdn.close);
    const proxy = await startProxy();
    const fetcher = await createFetcher(cdn.origin, { DE: proxy.url });
    const fetched = fetcher.fetch(`${cdn.origin}/`, { signal, maxBytes: 99, proxyCountry: "DE" });
    await expect(fetched).rejects.toMatchObject({ code: "bad_response" });
    expect(inside.connections()).toBe(0);
    expect(proxy.tunnels.map((tunnel) => tunnel.target)).toEqual([`127.0.0.1:${cdn.port}`]);
  });

  test.each([407, 502])("a proxy that answers %d is upstream_unavailable", async (status) => {
    const cdn = await startLoopback((_request, response) => response.end(CLIP));
    closing.push(cdn.close);
    const proxy = await startProxy({ status });
    const fetcher = await createFetcher(cdn.origin, { DE: proxy.url });
    const fetched = fetcher.fetch(`${cdn.origin}/`, { signal, maxBytes: 99, proxyCountry: "DE" });
    await expect(fetched).rejects.toMatchObject({
      code: "upstream_unavailable",
      message: expect.not.stringContaining("secret"),
    });
    expect(cdn.connections()).toBe(0);
  });
});
