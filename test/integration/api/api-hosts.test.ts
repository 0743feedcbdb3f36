import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { postJob, startTestApi } from "../../support/posts/test-api.ts";

const BODY = { url: "7000000000000000001" };

describe("a page whose name was pointed at us (DNS rebinding)", () => {
  it.each<Record<string, string>>([
    { host: "evil.example", origin: "http://evil.example" },
    { host: "evil.example:4600", origin: "http://evil.example:4600" },
    { host: "evil.example", "sec-fetch-site": "same-origin", origin: "http://evil.example" },
    { host: "evil.example", "sec-fetch-site": "none" },
    { host: "127.0.0.1.nip.io:4600", origin: "http://127.0.0.1.nip.io:4600" },
    { host: "localhost.evil.example", origin: "http://localhost.evil.example" },
    { host: "evillocalhost", origin: "http://evillocalhost" },
    { host: "clipmill.example.com.evil.io", origin: "http://clipmill.example.com.evil.io" },
  ])("may not write: %o", async (headers) => {
    const api = await startTestApi({ publicHosts: ["127.0.0.1", "clipmill.example.com"] });
    const answer = await postJob(api, BODY, headers);
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({
      code: "cross_site",
      detail: expect.stringMatching(/PUBLIC_HOSTS/),
    });
    expect(api.fake.submissions).toEqual([]);
  });

  it.each<Record<string, string>>([
    { host: "127.0.0.1:4600", origin: "http://127.0.0.1:4600" },
    { host: "localhost:4600", origin: "http://localhost:4600" },
    { host: "clip.localhost:4600", origin: "http://clip.localhost:4600" },
    { host: "[::1]:4600", origin: "http://[::1]:4600" },
    { host: "192.168.0.7:4600", origin: "http://192.168.0.7:4600" },
    { host: "clipmill.example.com", origin: "https://clipmill.example.com" },
    { host: "CLIPMILL.example.com", "sec-fetch-site": "same-origin" },
    // A program, which no page can make send this.
    { host: "api.internal:4600" },
  ])("and whoever has a name of ours may: %o", async (headers) => {
    const api = await startTestApi({ publicHosts: ["clipmill.example.com"] });
    expect((await postJob(api, BODY, headers)).statusCode).toBe(202);
  });

  it("is known by the name that a trusted proxy was asked for", async () => {
    const headers = {
      host: "api:4600",
      origin: "https://clipmill.example.com",
      "x-forwarded-host": "clipmill.example.com",
    };
    const publicHosts = ["clipmill.example.com"];
    const behind = await startTestApi({ publicHosts, trustedProxies: ["127.0.0.0/8"] });
    expect((await postJob(behind, BODY, headers)).statusCode).toBe(202);
    const alone = await startTestApi({ publicHosts });
    expect((await postJob(alone, BODY, headers)).statusCode).toBe(403);
  });
});

/** What comes back over a connection of its own. */
async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let answer = "";
  for await (const piece of socket) {
    answer += String(piece);
    break;
  }
  return answer;
}

describe("a request with two hosts", () => {
  it.each(["GET /livez", "POST /v1/jobs", "GET /queues"])("is refused: %s", async (start) => {
    const { app } = await startTestApi();
    const { port } = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
    const two = `${start} HTTP/1.1\r\nHost: 127.0.0.1\r\nhOST: evil.example\r\ncontent-length: 0\r\n\r\n`;
    expect(await sendRaw(Number(port), two)).toMatch(/^HTTP\/1\.1 400 /);
    const one = `GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
    expect(await sendRaw(Number(port), one)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
