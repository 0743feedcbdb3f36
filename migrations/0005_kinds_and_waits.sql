CREATE TABLE "children_to_end" (
	"stage_job_id" bigint PRIMARY KEY NOT NULL,
	"after_id" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "stage_wait" (
	"token" text PRIMARY KEY NOT NULL,
	"stage_job_id" bigint NOT NULL,
	"epoch" integer NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "stage_job" DROP CONSTRAINT "stage_job_lease";--> statement-breakpoint
ALTER TABLE "stage_job" DROP CONSTRAINT "stage_job_state";--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "kind" text DEFAULT 'post' NOT NULL;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "input" jsonb;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "submitted_by" bigint;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "ends_with_parent" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "artifacts" jsonb;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "retried_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "request_stage_job" ADD COLUMN "step" text;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "quarantine_crashes" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "held_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "expired_token" text;--> statement-breakpoint
ALTER TABLE "post" ADD COLUMN "artifacts" jsonb;--> statement-breakpoint
CREATE INDEX "stage_wait_expiry" ON "stage_wait" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "request_children" ON "request" USING btree ("submitted_by","id") WHERE submitted_by is not null;--> statement-breakpoint
ALTER TABLE "stage_job" ADD CONSTRAINT "stage_job_held" CHECK (state not in ('queued', 'running', 'waiting') or coalesce(held_until, deadline) is not null);--> statement-breakpoint
ALTER TABLE "stage_job" ADD CONSTRAINT "stage_job_state" CHECK (state in ('ready', 'queued', 'running', 'waiting', 'done', 'failed', 'skipped', 'cancelled'));