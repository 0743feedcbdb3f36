import { request } from "undici";

const ANSWER_WITHIN_MS = 5_000;

/** What a server said to a GET that costs nothing, for `clipmill doctor`. */
export type ServerAnswer = "works" | "refuses the key" | "does not answer";

/** Any answer but a refused key counts: some servers have no list of models, which is what is usually asked for. */
export async function askServer(
  url: string,
  headers: Record<string, string>,
): Promise<ServerAnswer> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const { statusCode, body } = await request(url, { headers, signal });
    await body.dump();
    if (statusCode === 401 || statusCode === 403) return "refuses the key";
    return statusCode >= 500 ? "does not answer" : "works";
  } catch {
    return "does not answer";
  }
}
