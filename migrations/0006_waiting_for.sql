CREATE TABLE "work_queue" (
	"queue" text PRIMARY KEY NOT NULL,
	"drained_at" timestamp with time zone,
	"dispatched_at" timestamp with time zone,
	"trouble" text,
	"trouble_since" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "put_off_since" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "stage_job_put_off" ON "stage_job" USING btree ("lane","put_off_since") WHERE run_at is not null and put_off_since is not null;--> statement-breakpoint
CREATE INDEX "tenant_stopped" ON "tenant" USING btree ("id") WHERE max_in_flight <= 0;