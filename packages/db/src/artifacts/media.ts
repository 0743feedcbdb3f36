import { mediaKind, postMediaKind } from "@clipmill/domain";
import type { media, postMedia } from "../schema/index.ts";
import { createRecordTable, type StoredIn } from "./record-table.ts";

const MEDIA = {
  table: "media",
  columns: {
    sha256: "text",
    kind: "text",
    bytes: "bigint",
    durationMs: "integer",
    hasAudio: "boolean",
    hasVideo: "boolean",
  },
} as const satisfies StoredIn<typeof media>;

/** On conflict: if retention had deleted the file, it is stored again now, and its age counts from now. */
export const mediaFiles = createRecordTable(mediaKind, MEDIA, {
  onConflict: `on conflict (sha256) do update set removed_at = null, stored_at = now()
      where media.removed_at is not null`,
});

const POST_MEDIA = {
  table: "post_media",
  columns: {
    postId: "text",
    mediaSha256: "text",
    role: "text",
    position: "smallint",
  },
} as const satisfies StoredIn<typeof postMedia>;

/** On conflict: the platform may have encoded the post's media again, and the latest file counts. */
export const postMediaLinks = createRecordTable(postMediaKind, POST_MEDIA, {
  onConflict: `on conflict (post_id, role, position) do update set media_sha256 = excluded.media_sha256`,
});
