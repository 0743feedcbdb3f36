import { audioKind } from "@clipmill/domain";
import type { preparedAudio } from "../schema/index.ts";
import { createRecordTable, type StoredIn } from "./record-table.ts";

const AUDIO = {
  table: "prepared_audio",
  columns: {
    mediaSha256: "text",
    recipe: "text",
    audioSha256: "text",
    bytes: "bigint",
    durationMs: "integer",
  },
} as const satisfies StoredIn<typeof preparedAudio>;

/** On conflict: if retention had deleted the file, it is stored again now, perhaps with other bytes. */
export const audioFiles = createRecordTable(audioKind, AUDIO, {
  onConflict: `on conflict (media_sha256, recipe) do update set removed_at = null, stored_at = now(),
        audio_sha256 = excluded.audio_sha256, bytes = excluded.bytes
      where prepared_audio.removed_at is not null`,
});
