import {
  createGuardedConnector,
  createSafeHttp,
  isCdnHost,
  type SafeHttpOptions,
} from "@clipmill/providers";
import { afterEach, describe, expect, test } from "vitest";
import { type Handler, type Loopback, startLoopback } from "../../support/fakes/loopback.ts";

const signal = new AbortController().signal;
const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of closing.splice(0).reverse()) await part.close();
});

async function serve(handler: Handler): Promise<Loopback> {
  const server = await startLoopback(handler);
  closing.push(server);
  return server;
}

/** The body of a link of the sandbox's origin. */
async function requestFrom(
  origin: string,
  options: Partial<SafeHttpOptions> = {},
): Promise<string> {
  const http = createSafeHttp({ allowHost: isCdnHost, allowLoopback: origin, ...options });
  closing.push(http);
  const response = await http.request(`${origin}/clip.mp4`, { signal });
  let text = "";
  for await (const chunk of response.body) text += Buffer.from(chunk).toString();
  return text;
}

describe("redirects", () => {
  test("are followed within the sandbox", async () => {
    const { origin, requests } = await serve((request, response) => {
      if (request.url === "/final") response.end("clip");
      else response.writeHead(302, { location: "/final" }).end("moved");
    });
    expect(await requestFrom(origin)).toBe("clip");
    expect(requests).toEqual(["GET /clip.mp4", "GET /final"]);
  });

  test("end after five", async () => {
    const { origin, requests } = await serve((_, response) =>
      response.writeHead(302, { location: "/again" }).end(),
    );
    await expect(requestFrom(origin)).rejects.toMatchObject({ code: "bad_response" });
    expect(requests).toHaveLength(6);
  });

  test("to another loopback port are refused, and its listener sees no connection", async () => {
    const inside = await serve((_, response) => response.end("clip"));
    const { origin } = await serve((_, response) =>
      response.writeHead(302, { location: `${inside.origin}/secret` }).end(),
    );
    await expect(requestFrom(origin)).rejects.toMatchObject({ code: "bad_response" });
    expect(inside.connections()).toBe(0);
    // The listener does answer those who are allowed to ask.
    expect(await requestFrom(inside.origin)).toBe("clip");
    expect(inside.connections()).toBe(1);
  });

  test.each([
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::1]/",
    "https://2852039166/",
    "https://evil.io/clip.mp4",
    "https://tiktokcdn.com.evil.io/clip.mp4",
    "http://v16.tiktokcdn.com/clip.mp4",
    "https://v16.tiktokcdn.com:8443/clip.mp4",
    "https://user:secret@v16.tiktokcdn.com/clip.mp4",
    "file:///etc/passwd",
    "https://",
    "data:video/mp4;base64,AAAA",
  ])("to %s are refused without a look-up", async (location) => {
    const { origin } = await serve((_, response) => response.writeHead(302, { location }).end());
    const lookedUp: string[] = [];
    const resolve = async (host: string) => {
      lookedUp.push(host);
      return ["8.8.8.8"];
    };
    const fetched = requestFrom(origin, { resolve });
    await expect(fetched).rejects.toMatchObject({
      code: "bad_response",
      message: expect.not.stringContaining("secret"),
    });
    expect(lookedUp).toEqual([]);
  });
});

describe("the address behind an allowed name", () => {
  test.each(["127.0.0.1", "10.1.2.3", "169.254.169.254", "8.8.8.8 127.0.0.1", "nonsense", ""])(
    "is refused when the name resolves to %j",
    async (addresses) => {
      const resolve = async () => addresses.split(" ").filter((address) => address !== "");
      const http = createSafeHttp({ allowHost: isCdnHost, resolve });
      closing.push(http);
      await expect(
        http.request("https://v16.tiktokcdn.com/clip.mp4", { signal }),
      ).rejects.toMatchObject({
        code: "bad_response",
        details: { host: "v16.tiktokcdn.com" },
      });
    },
  );

  test("a name that does not resolve is upstream_unavailable", async () => {
    const resolve = () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    const http = createSafeHttp({ allowHost: isCdnHost, resolve });
    closing.push(http);
    await expect(http.request("https://v16.tiktokcdn.com/", { signal })).rejects.toMatchObject({
      code: "upstream_unavailable",
      details: { transport: "ENOTFOUND" },
    });
  });

  /** Connects as undici would, to a name of the given DNS server. */
  async function connectTo(port: number, options: Parameters<typeof createGuardedConnector>[0]) {
    const connect = createGuardedConnector(options);
    return await new Promise<string | undefined>((resolve, reject) => {
      const target = {
        hostname: "cdn.test",
        host: "cdn.test",
        protocol: "http:",
        port: String(port),
      };
      connect(target, (error, socket) => {
        if (error !== null) reject(error);
        else resolve(socket.destroy().remoteAddress);
      });
    });
  }

  test("is asked for once and pinned: a second answer of the DNS server changes nothing", async () => {
    const inside = await serve(() => {});
    const answers = [["127.0.0.1"], ["127.0.0.2"]];
    const asked: string[] = [];
    const resolve = async (host: string) => {
      asked.push(host);
      return answers.shift() ?? [];
    };
    const isAllowedAddress = (address: string) => address === "127.0.0.1";
    await connectTo(inside.port, { connectTimeoutMs: 2_000, resolve, isAllowedAddress });
    expect(asked).toEqual(["cdn.test"]);
    expect(inside.connections()).toBe(1);
    // The second answer is another address, and it is checked like the first.
    const again = connectTo(inside.port, { connectTimeoutMs: 2_000, resolve, isAllowedAddress });
    await expect(again).rejects.toMatchObject({ code: "bad_response" });
    expect(inside.connections()).toBe(1);
  });

  test("without the check the listener inside would be reached", async () => {
    const inside = await serve(() => {});
    const resolve = async () => ["127.0.0.1"];
    const options = { connectTimeoutMs: 2_000, resolve };
    await expect(connectTo(inside.port, options)).rejects.toMatchObject({ code: "bad_response" });
    expect(inside.connections()).toBe(0);
    await connectTo(inside.port, { ...options, isAllowedAddress: () => true });
    expect(inside.connections()).toBe(1);
  });
});
