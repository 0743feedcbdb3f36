import { type Answer, type Endpoint, type SandboxRequest, toJsonAnswer } from "../claude/answer.ts";
import type { SamplePost } from "../sample-posts.ts";

const WAV_HEADER_BYTES = 44;
const WAV_BYTES_PER_SECOND = 32_000;

/**
 * OpenAI's /v1/audio/transcriptions with the pack's recorded transcripts. It knows a clip by the name of the uploaded
 * file, `<sha-256 of the media>.wav`; everything else is heard as silence.
 */
export function toTranscriptions(posts: readonly SamplePost[]): Endpoint {
  const byMedia = new Map(
    posts.flatMap((post) => post.files.map((file): [string, SamplePost] => [file.sha256, post])),
  );
  return {
    name: "transcriptions",
    path: "/openai/v1/audio/transcriptions",
    async answer(request) {
      if (request.method !== "POST")
        return { answer: toError(405, "Method not allowed.", null), postId: null };
      const form = await parseForm(request);
      const file = form?.get("file");
      if (form === null || !(file instanceof File)) {
        return {
          answer: toError(400, "A file is required, as multipart/form-data.", "file"),
          postId: null,
        };
      }
      if (!form.has("model"))
        return { answer: toError(400, "A model is required.", "model"), postId: null };
      const format = form.get("response_format") ?? "json";
      if (format !== "json" && format !== "verbose_json") {
        return {
          answer: toError(400, "response_format is json or verbose_json here.", "response_format"),
          postId: null,
        };
      }
      const post = byMedia.get(file.name.replace(/\.wav$/, ""));
      const transcript = toTranscript(post, file.size);
      const answer = toJsonAnswer(format === "json" ? { text: transcript.text } : transcript);
      return { answer, postId: post?.id ?? null };
    },
  };
}

/** Null for what is no form. The platform's own parser reads it. */
async function parseForm({ headers, body }: SandboxRequest): Promise<FormData | null> {
  const type = headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) return null;
  return new Response(new Uint8Array(body), { headers: { "content-type": type } })
    .formData()
    .catch(() => null);
}

function toError(status: number, message: string, param: string | null): Answer {
  const error = { message, type: "invalid_request_error", param, code: null };
  return toJsonAnswer({ error }, { status });
}

/** In Whisper's manner: the language by its English name, and a space before each segment's text. */
function toTranscript(post: SamplePost | undefined, fileBytes: number) {
  const segments = (post?.segments ?? []).map(({ startMs, endMs, text }, id) => ({
    id,
    seek: 0,
    start: startMs / 1000,
    end: endMs / 1000,
    text: ` ${text}`,
    tokens: [],
    temperature: 0,
    avg_logprob: -0.2,
    compression_ratio: 1.2,
    no_speech_prob: 0.01,
  }));
  return {
    task: "transcribe",
    language: "english",
    duration: Math.max(0, fileBytes - WAV_HEADER_BYTES) / WAV_BYTES_PER_SECOND,
    text: segments
      .map(({ text }) => text)
      .join("")
      .trim(),
    segments,
  };
}
