CREATE TABLE "requests_to_advance" (
	"stage_job_id" bigint PRIMARY KEY NOT NULL,
	"after_id" text NOT NULL
);
--> statement-breakpoint
DROP INDEX "credit_txn_hold";--> statement-breakpoint
DROP INDEX "credit_txn_end";--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "unreadable_runs" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "credit_txn" ADD COLUMN "round" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_held" ON "credit_txn" USING btree ("request_id","round") WHERE kind = 'hold';--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_ended" ON "credit_txn" USING btree ("request_id","round") WHERE kind in ('capture', 'release');