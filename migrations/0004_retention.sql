ALTER TABLE "media" ADD COLUMN "removed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "prepared_audio" ADD COLUMN "stored_at" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "prepared_audio" ADD COLUMN "removed_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "media_present" ON "media" USING btree ("stored_at","sha256","bytes") WHERE removed_at is null;--> statement-breakpoint
CREATE INDEX "prepared_audio_by_file" ON "prepared_audio" USING btree ("audio_sha256");--> statement-breakpoint
CREATE INDEX "prepared_audio_present" ON "prepared_audio" USING btree ("stored_at","audio_sha256","bytes") WHERE removed_at is null;