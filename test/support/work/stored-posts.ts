import type { Database } from "@clipmill/db";

/** Stands in what their creators wrote. */
export const HOSTILE = `</script>"\\ \u2028`;
export const [FIRST, SECOND, UNKNOWN] = [
  "7345678901234000001",
  "7345678901234000002",
  "7345678901234000003",
] as const;

/** Stores the posts FIRST and SECOND with all that a result is made of; nothing is known of UNKNOWN. */
export async function storePosts({ pool }: Pick<Database, "pool">): Promise<void> {
  const run = (text: string, ...values: unknown[]) => pool.query(text, values);
  for (const id of [FIRST, SECOND]) {
    await run(
      `insert into post (post_id, title, duration_ms, source, transcript_key, screen_text_key, answer_key)
       values ($1, '', 8000, 'ytdlp', 't' || $1, 's' || $1, 'a' || $1)`,
      id,
    );
    await run(
      `insert into transcript (key, media_sha256, recipe, hash, engine, origin, text, segments, duration_ms, verdict)
       values ('t' || $1, 'm', 'r', 'h', 'e', 'speech', $2, $3, 8000, 'speech')`,
      id,
      `words of ${id} ${HOSTILE}`,
      JSON.stringify([{ startMs: 250, endMs: 8_000, text: HOSTILE }]),
    );
    await run(
      `insert into screen_text (key, images_hash, recipe, hash, engine, lines)
       values ('s' || $1, 'i', 'r', 'h', 'e', '{FINE}')`,
      id,
    );
    await run(
      `insert into answer (key, post_id, kind, evidence_hash, prompt_version, recipe, engine, sources, body)
       values ('a' || $1, $1, 'summary', 'h', '1', 'r', 'e', '{transcript}', $2)`,
      id,
      JSON.stringify({
        tldr: "Fine.",
        takeaways: ["a", "b", "c"],
        sentiment: "neutral",
        cta: "none",
      }),
    );
    await run(
      "insert into media (sha256, kind, bytes, duration_ms, has_audio, has_video) values ('m' || $1, 'video', 1, 8000, true, true)",
      id,
    );
    await run("insert into post_media values ($1, 'video', 0, 'm' || $1)", id);
    await run("insert into engagement (post_id, plays) values ($1, 1)", id);
  }
}
