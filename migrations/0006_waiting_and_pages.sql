CREATE TABLE "requests_to_advance" (
	"stage_job_id" bigint PRIMARY KEY NOT NULL,
	"after_id" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "work_queue" (
	"queue" text PRIMARY KEY NOT NULL,
	"drained_at" timestamp with time zone,
	"dispatched_at" timestamp with time zone,
	"trouble" text,
	"trouble_since" timestamp with time zone
);
--> statement-breakpoint
DROP INDEX "credit_txn_hold";--> statement-breakpoint
DROP INDEX "credit_txn_end";--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "put_off_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "unreadable_runs" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "backfill" ADD COLUMN "invalid_lines" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "credit_txn" ADD COLUMN "round" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "stage_job_put_off" ON "stage_job" USING btree ("lane","put_off_since") WHERE run_at is not null and put_off_since is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_held" ON "credit_txn" USING btree ("request_id","round") WHERE kind = 'hold';--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_ended" ON "credit_txn" USING btree ("request_id","round") WHERE kind in ('capture', 'release');--> statement-breakpoint
CREATE INDEX "tenant_stopped" ON "tenant" USING btree ("id") WHERE max_in_flight <= 0;--> statement-breakpoint
-- What the sandbox or a user's own file said of a post was stored under the post's id alone. Under keys of their own it
-- still answers those who ask them, and nobody else.
UPDATE "stage_job" SET "key" = "key" || '@sandbox' WHERE "stage" = 'download' AND "input" ->> 'engines' LIKE '%@sandbox%';--> statement-breakpoint
UPDATE "stage_job" SET "key" = "key" || '@file' WHERE "stage" = 'download' AND "key" NOT LIKE 'file-%' AND "input" -> 'engines' @> '["file"]';--> statement-breakpoint
UPDATE "stage_job" AS j SET "key" = j."key" || '@sandbox', "input" = j."input" || '{"simulated": true}'
WHERE j."stage" = 'resolve' AND EXISTS (
  SELECT FROM "request_stage_job" AS l JOIN "request" AS r ON r."id" = l."request_id" JOIN "request_options" AS o ON o."id" = r."options_id"
  WHERE l."stage_job_id" = j."id" AND o."recipes" ->> 'source' LIKE '%@sandbox%');
