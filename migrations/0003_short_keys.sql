CREATE SEQUENCE "public"."backfill_number" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
DROP INDEX "request_idempotency";--> statement-breakpoint
DROP INDEX "stage_job_key";--> statement-breakpoint
-- In two steps: lists that were begun before keep null, and so the keys that their items have.
ALTER TABLE "backfill" ADD COLUMN "number" integer;--> statement-breakpoint
ALTER TABLE "backfill" ALTER COLUMN "number" SET DEFAULT nextval('backfill_number');--> statement-breakpoint
CREATE UNIQUE INDEX "request_idempotency" ON "request" USING btree ("idempotency_key","tenant") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "stage_job_key" ON "stage_job" USING btree ("key","stage");