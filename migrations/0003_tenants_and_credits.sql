CREATE TABLE "credit_entry" (
	"txn_id" bigint NOT NULL,
	"account" text NOT NULL,
	"amount" bigint NOT NULL,
	CONSTRAINT "credit_entry_account" CHECK (account in ('available', 'held', 'revenue', 'funding'))
);
--> statement-breakpoint
CREATE TABLE "credit_txn" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "credit_txn_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant" text NOT NULL,
	"request_id" text,
	"kind" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "credit_txn_kind" CHECK (kind in ('grant', 'hold', 'capture', 'release'))
);
--> statement-breakpoint
CREATE TABLE "tenant" (
	"id" text PRIMARY KEY NOT NULL,
	"weight" smallint DEFAULT 1 NOT NULL,
	"max_in_flight" integer,
	"available" bigint DEFAULT 0 NOT NULL,
	"held" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "tenant_weight" CHECK (weight > 0),
	CONSTRAINT "tenant_balance" CHECK (available >= 0 and held >= 0)
);
--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "credits" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "credits_held" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "stage_job" ADD COLUMN "start_by" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "credit_entry_by_txn" ON "credit_entry" USING btree ("txn_id");--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_hold" ON "credit_txn" USING btree (request_id) WHERE kind = 'hold';--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_end" ON "credit_txn" USING btree (request_id) WHERE kind in ('capture', 'release');--> statement-breakpoint
CREATE INDEX "request_deadline" ON "request" USING btree ("deadline") WHERE state = 'open' and deadline is not null;