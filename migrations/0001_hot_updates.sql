DROP INDEX "request_deadline";--> statement-breakpoint
DROP INDEX "stage_job_ready";--> statement-breakpoint
DROP INDEX "stage_job_in_flight";--> statement-breakpoint
DROP INDEX "stage_job_dead_by_queue";--> statement-breakpoint
DROP INDEX "stage_job_dead";--> statement-breakpoint
DROP INDEX "stage_job_dead_by_code";--> statement-breakpoint
DROP INDEX "stage_job_dead_by_stage";--> statement-breakpoint
DROP INDEX "stage_job_dead_by_tenant";--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "open_deadline" timestamp with time zone GENERATED ALWAYS AS (case when state = 'open' then deadline end) STORED;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "in_flight" boolean GENERATED ALWAYS AS (state in ('queued', 'running')) STORED;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "dead" boolean GENERATED ALWAYS AS (state = 'failed' and dropped_at is null) STORED;--> statement-breakpoint
CREATE INDEX "request_open_deadline" ON "request" USING btree ("open_deadline") WHERE open_deadline is not null;--> statement-breakpoint
CREATE INDEX "stage_job_ready" ON "stage_job" USING btree ("queue","lane","tenant","run_at","id") WHERE run_at is not null;--> statement-breakpoint
CREATE INDEX "stage_job_in_flight" ON "stage_job" USING btree ("queue") WHERE in_flight;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_queue" ON "stage_job" USING btree ("queue") WHERE dead;--> statement-breakpoint
CREATE INDEX "stage_job_dead" ON "stage_job" USING btree ("finished_at","id") WHERE dead;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_code" ON "stage_job" USING btree ("error_code","finished_at","id") WHERE dead;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_stage" ON "stage_job" USING btree ("stage","finished_at","id") WHERE dead;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_tenant" ON "stage_job" USING btree ("tenant","finished_at","id") WHERE dead;--> statement-breakpoint
-- Room on each page for the next version of its rows: claims and heartbeats then stay beside the row they replace.
ALTER TABLE "stage_job" SET (fillfactor = 80);
