CREATE TABLE "backfill" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"idempotency_key" text,
	"options_hash" text NOT NULL,
	"state" text DEFAULT 'accepting' NOT NULL,
	"line_count" integer DEFAULT 0 NOT NULL,
	"accepted_count" integer DEFAULT 0 NOT NULL,
	"duplicate_count" integer DEFAULT 0 NOT NULL,
	"invalid_count" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "backfill_state" CHECK (state in ('accepting', 'interrupted', 'accepted')),
	CONSTRAINT "backfill_counts" CHECK (line_count = accepted_count + duplicate_count + invalid_count)
);
--> statement-breakpoint
DROP INDEX "stage_job_dead";--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "revived_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "dropped_at" timestamp with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "backfill_idempotency" ON "backfill" USING btree ("tenant","idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_queue" ON "stage_job" USING btree ("queue") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_code" ON "stage_job" USING btree ("error_code","finished_at","id") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_stage" ON "stage_job" USING btree ("stage","finished_at","id") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_tenant" ON "stage_job" USING btree ("tenant","finished_at","id") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead" ON "stage_job" USING btree ("finished_at","id") WHERE state = 'failed' and dropped_at is null;