import { createSafeHttp, isCdnHost, type SafeHttp } from "@clipmill/providers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Loopback, startLoopback } from "../../support/fakes/loopback.ts";

const signal = new AbortController().signal;

/** `{port}` stands for the port of the sandbox, `{other}` for one beside it. */
const TRICKS = [
  // Names that look like an allowed one.
  "https://tiktokcdn.com.evil.io/",
  "https://eviltiktokcdn.com/",
  "https://tiktokcdn.com-evil.io/",
  "https://evil.io/tiktokcdn.com",
  "https://evil.io#tiktokcdn.com",
  "https://evil.io?x=.tiktokcdn.com",
  "https://evil.io\\@v16.tiktokcdn.com/",
  "https://evil.io\\.tiktokcdn.com/",
  "https://v16.tiktokcdn.com./",
  "https://v16.tiktokcdn.com../",
  "https://.tiktokcdn.com/",
  "https://v16..tiktokcdn.com/",
  "https://v16.tiktokcdn.com,evil.io/",
  "https://evil.io;.tiktokcdn.com/",
  "https://evil.io'.tiktokcdn.com/",
  "https://evil.io&.tiktokcdn.com/",
  "https://[v16.tiktokcdn.com]/",
  "https://xn--tiktokcdn-.com/",
  // Letters of other alphabets, and dots that are none.
  "https://tiktokcdn.c\u043em/",
  "https://t\u0131ktokcdn.com/",
  "https://tiktokcdn\u3002com.evil.io/",
  "https://tiktokcdn.com\uff0eevil.io/",
  "https://\u24e3iktokcdn.com.evil.io/",
  "https://tiktokcdn.com\u200b.evil.io/",
  "https://tiktokcdn.com\n.evil.io/",
  "https://tiktokcdn.com\t.evil.io/",
  // Escapes within the name.
  "https://v16.tiktokcdn.com%2eevil.io/",
  "https://v16.tiktokcdn.com%00.evil.io/",
  "https://evil.io%23.tiktokcdn.com/",
  "https://evil.io%2f.tiktokcdn.com/",
  "https://evil.io%5c.tiktokcdn.com/",
  "https://evil.io%40v16.tiktokcdn.com/",
  "https://evil.io%0d%0a.tiktokcdn.com/",
  // User info.
  "https://v16.tiktokcdn.com@evil.io/",
  "https://v16.tiktokcdn.com:443@evil.io/",
  "https://v16.tiktokcdn.com%40evil.io@evil.io/",
  "https://user:secret@v16.tiktokcdn.com/",
  "https://user@v16.tiktokcdn.com/",
  "https://:secret@v16.tiktokcdn.com/",
  "https://v16.tiktokcdn.com@169.254.169.254/",
  // Ports and protocols.
  "https://v16.tiktokcdn.com:80/",
  "https://v16.tiktokcdn.com:8443/",
  "https://v16.tiktokcdn.com:99999/",
  "http://v16.tiktokcdn.com/",
  "HTTP://v16.tiktokcdn.com/",
  "http://v16.tiktokcdn.com:443/",
  "ftp://v16.tiktokcdn.com/",
  "ws://v16.tiktokcdn.com/",
  "file:///etc/passwd",
  "file://v16.tiktokcdn.com/etc/passwd",
  "data:video/mp4;base64,AAAA",
  "blob:https://v16.tiktokcdn.com/1",
  "javascript:alert(1)",
  "gopher://127.0.0.1:6379/_FLUSHALL",
  "dict://127.0.0.1:11211/stats",
  "jar:https://v16.tiktokcdn.com!/",
  "view-source:https://v16.tiktokcdn.com/",
  // Nothing that is whole, and slashes too few or too many.
  "",
  " ",
  "https://",
  "//v16.tiktokcdn.com/",
  "/etc/passwd",
  "https:evil.io",
  "https:/evil.io",
  "https:\\\\evil.io",
  "https://///evil.io",
  "\0https://evil.io/",
  // Addresses, in all the ways to write them.
  "https://127.0.0.1/",
  "https://127.1/",
  "https://2130706433/",
  "https://0x7f000001/",
  "https://0x7f.0x0.0x0.0x1/",
  "https://0177.0.0.1/",
  "https://0/",
  "https://localhost/",
  "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
  "https://[::1]/",
  "https://[::]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:a9fe:a9fe]/",
  "https://[fe80::1%25eth0]/",
  "https://[64:ff9b::7f00:1]/",
  "https://169.254.169.254/latest/meta-data/",
  "https://2852039166/latest/meta-data/",
  "https://0xa9fea9fe/latest/meta-data/",
  "https://metadata.google.internal/",
  "https://127.0.0.1.nip.io/",
  "https://10.0.0.1/",
  "https://192.168.0.1/",
  // What is beside the sandbox.
  "http://127.0.0.1:{other}/",
  "http://127.0.0.2:{port}/",
  "https://127.0.0.1:{port}/",
  "http://localhost:{port}/",
  "http://[::ffff:127.0.0.1]:{port}/",
  "http://user@127.0.0.1:{port}/",
  "http://127.0.0.1:{port}@evil.io/",
  "http://127.0.0.1:{port}.evil.io/",
];

describe("a link that is a trick", () => {
  let sandbox: Loopback;
  let beside: Loopback;
  let http: SafeHttp;
  const lookedUp: string[] = [];
  beforeAll(async () => {
    sandbox = await startLoopback((request, response) => {
      const location = new URL(request.url ?? "", "http://x").searchParams.get("to");
      if (location === null) response.end("clip");
      else response.writeHead(302, { location: encodeURI(location) }).end();
    });
    beside = await startLoopback((_request, response) => response.end("secret"));
    http = createSafeHttp({
      allowHost: isCdnHost,
      allowLoopback: sandbox.origin,
      // Wherever a name leads, it must not even be asked for.
      resolve: async (host) => {
        lookedUp.push(host);
        return ["127.0.0.1"];
      },
    });
  });
  afterAll(async () => {
    await http.close();
    await sandbox.close();
    await beside.close();
  });
  const toUrl = (trick: string) =>
    trick.replace("{port}", String(sandbox.port)).replace("{other}", String(beside.port));

  test(`has a table of at least sixty, each of them once`, () => {
    expect(new Set(TRICKS).size).toBe(TRICKS.length);
    expect(TRICKS.length).toBeGreaterThanOrEqual(60);
  });

  test.each(TRICKS)("is refused before anybody is called: %j", async (trick) => {
    const before = sandbox.connections();
    const asked = http.request(toUrl(trick), { signal });
    await expect(asked).rejects.toMatchObject({
      code: "bad_response",
      message: expect.not.stringContaining("secret"),
    });
    expect(lookedUp).toEqual([]);
    expect(sandbox.connections()).toBe(before);
    expect(beside.connections()).toBe(0);
  });

  // An empty location, or one that is only a path, stays within the sandbox as it should.
  const leading = TRICKS.filter((trick) => /^[a-z]+:/i.test(trick));
  test.each(leading)("is refused as a redirect too: %j", async (trick) => {
    const url = `${sandbox.origin}/?to=${encodeURIComponent(toUrl(trick))}`;
    await expect(http.request(url, { signal })).rejects.toMatchObject({ code: "bad_response" });
    expect(lookedUp).toEqual([]);
    expect(beside.connections()).toBe(0);
  });

  test("is one only for its own sake: the sandbox answers, and an allowed name is looked up", async () => {
    const response = await http.request(`${sandbox.origin}/`, { signal });
    expect(response.status).toBe(200);
    await response.discard();
    const allowed = http.request("https://v16.tiktokcdn.com/", { signal });
    // Its address is not public, so nothing is connected to.
    await expect(allowed).rejects.toMatchObject({ code: "bad_response" });
    expect(lookedUp.splice(0)).toEqual(["v16.tiktokcdn.com"]);
  });
});
