CREATE TABLE "request" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"link" text NOT NULL,
	"post_id" text,
	"options_id" integer NOT NULL,
	"lane" smallint NOT NULL,
	"deadline" timestamp with time zone,
	"credits" integer DEFAULT 0 NOT NULL,
	"credits_held" integer DEFAULT 0 NOT NULL,
	"idempotency_key" text,
	"body_hash" text,
	"state" text DEFAULT 'open' NOT NULL,
	"cached" boolean DEFAULT false NOT NULL,
	"failed_stage" text,
	"error_code" text,
	"error_message" text,
	"warnings" jsonb,
	"transcript_key" text,
	"screen_text_key" text,
	"answer_key" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	"revived_at" timestamp with time zone,
	CONSTRAINT "request_state" CHECK (state in ('open', 'done', 'skipped', 'failed', 'cancelled')),
	CONSTRAINT "request_end" CHECK ((state = 'open') = (finished_at is null))
);
--> statement-breakpoint
CREATE TABLE "request_options" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "request_options_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"hash" text NOT NULL,
	"outputs" text[] NOT NULL,
	"recipes" jsonb NOT NULL,
	"language" text,
	CONSTRAINT "request_options_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "request_stage_job" (
	"request_id" text NOT NULL,
	"stage_job_id" bigint NOT NULL,
	"relation" text NOT NULL,
	CONSTRAINT "request_stage_job_request_id_stage_job_id_pk" PRIMARY KEY("request_id","stage_job_id"),
	CONSTRAINT "request_stage_job_relation" CHECK (relation in ('started', 'joined', 'reused'))
);
--> statement-breakpoint
CREATE TABLE "stage_job" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "stage_job_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"stage" text NOT NULL,
	"key" text NOT NULL,
	"queue" text NOT NULL,
	"state" text DEFAULT 'ready' NOT NULL,
	"epoch" integer DEFAULT 0 NOT NULL,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"crashes" smallint DEFAULT 0 NOT NULL,
	"solo_crashes" smallint DEFAULT 0 NOT NULL,
	"lane" smallint NOT NULL,
	"tenant" text NOT NULL,
	"run_at" timestamp with time zone,
	"deadline" timestamp with time zone,
	"start_by" timestamp with time zone,
	"input" jsonb NOT NULL,
	"output" jsonb,
	"error_code" text,
	"error_message" text,
	"error_upstream" text,
	"worker_id" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"dropped_at" timestamp with time zone,
	CONSTRAINT "stage_job_state" CHECK (state in ('ready', 'queued', 'running', 'done', 'failed', 'skipped', 'cancelled')),
	CONSTRAINT "stage_job_liveness" CHECK ((state = 'ready') = (run_at is not null)),
	CONSTRAINT "stage_job_lease" CHECK ((state in ('queued', 'running')) = (deadline is not null))
);
--> statement-breakpoint
CREATE TABLE "worker_process" (
	"id" text PRIMARY KEY NOT NULL,
	"queues" text[] NOT NULL,
	"engines" text[] NOT NULL,
	"slots" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "answer" (
	"key" text PRIMARY KEY NOT NULL,
	"post_id" text NOT NULL,
	"kind" text NOT NULL,
	"transcript_hash" text,
	"evidence_hash" text NOT NULL,
	"prompt_version" text NOT NULL,
	"recipe" text NOT NULL,
	"engine" text NOT NULL,
	"sources" text[] NOT NULL,
	"body" jsonb NOT NULL,
	"stored_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "cost_entry" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "cost_entry_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"stage_job_id" bigint NOT NULL,
	"epoch" integer NOT NULL,
	"engine" text NOT NULL,
	"state" text DEFAULT 'unknown' NOT NULL,
	"usd" numeric(16, 9) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "cost_entry_state" CHECK (state in ('unknown', 'settled', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "engagement" (
	"post_id" text NOT NULL,
	"observed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"plays" bigint,
	"likes" bigint,
	"comments" bigint,
	"shares" bigint,
	CONSTRAINT "engagement_post_id_observed_at_pk" PRIMARY KEY("post_id","observed_at")
);
--> statement-breakpoint
CREATE TABLE "media" (
	"sha256" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"bytes" bigint NOT NULL,
	"duration_ms" integer,
	"has_audio" boolean NOT NULL,
	"has_video" boolean NOT NULL,
	"stored_at" timestamp with time zone DEFAULT now() NOT NULL,
	"removed_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "post" (
	"post_id" text PRIMARY KEY NOT NULL,
	"url" text,
	"title" text NOT NULL,
	"author_unique_id" text,
	"author_nickname" text,
	"author_follower_count" bigint,
	"music_id" text,
	"music_title" text,
	"music_author" text,
	"music_original" boolean,
	"region" text,
	"duration_ms" integer NOT NULL,
	"posted_at" timestamp with time zone,
	"source" text NOT NULL,
	"transcript_key" text,
	"screen_text_key" text,
	"answer_key" text,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "post_media" (
	"post_id" text NOT NULL,
	"role" text NOT NULL,
	"position" smallint NOT NULL,
	"media_sha256" text NOT NULL,
	CONSTRAINT "post_media_post_id_role_position_pk" PRIMARY KEY("post_id","role","position")
);
--> statement-breakpoint
CREATE TABLE "prepared_audio" (
	"media_sha256" text NOT NULL,
	"recipe" text NOT NULL,
	"audio_sha256" text NOT NULL,
	"bytes" bigint NOT NULL,
	"duration_ms" integer NOT NULL,
	"stored_at" timestamp with time zone DEFAULT now() NOT NULL,
	"removed_at" timestamp with time zone,
	CONSTRAINT "prepared_audio_media_sha256_recipe_pk" PRIMARY KEY("media_sha256","recipe")
);
--> statement-breakpoint
CREATE TABLE "screen_text" (
	"key" text PRIMARY KEY NOT NULL,
	"images_hash" text NOT NULL,
	"recipe" text NOT NULL,
	"hash" text NOT NULL,
	"engine" text NOT NULL,
	"lines" text[] NOT NULL,
	"stored_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "transcript" (
	"key" text PRIMARY KEY NOT NULL,
	"media_sha256" text NOT NULL,
	"recipe" text NOT NULL,
	"hash" text NOT NULL,
	"engine" text NOT NULL,
	"origin" text NOT NULL,
	"language" text,
	"text" text NOT NULL,
	"segments" jsonb NOT NULL,
	"duration_ms" integer NOT NULL,
	"verdict" text NOT NULL,
	"stored_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
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
CREATE TABLE "upstream" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint DEFAULT 1 NOT NULL,
	"next_turn_at" timestamp with time zone NOT NULL,
	"pace" double precision NOT NULL,
	"pace_at" timestamp with time zone NOT NULL,
	"pause_code" text,
	"paused_until" timestamp with time zone,
	"failed_probes" smallint DEFAULT 0 NOT NULL,
	"probe_until" timestamp with time zone,
	"tallies" jsonb NOT NULL,
	"holders" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "request_idempotency" ON "request" USING btree ("tenant","idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "request_deadline" ON "request" USING btree ("deadline") WHERE state = 'open' and deadline is not null;--> statement-breakpoint
CREATE INDEX "request_stage_job_by_job" ON "request_stage_job" USING btree ("stage_job_id");--> statement-breakpoint
CREATE UNIQUE INDEX "stage_job_key" ON "stage_job" USING btree ("stage","key");--> statement-breakpoint
CREATE INDEX "stage_job_ready" ON "stage_job" USING btree ("queue","lane","tenant","run_at","id") WHERE state = 'ready';--> statement-breakpoint
CREATE INDEX "stage_job_in_flight" ON "stage_job" USING btree ("queue","state","deadline") WHERE state in ('queued', 'running');--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_queue" ON "stage_job" USING btree ("queue") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead" ON "stage_job" USING btree ("finished_at","id") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_code" ON "stage_job" USING btree ("error_code","finished_at","id") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_stage" ON "stage_job" USING btree ("stage","finished_at","id") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "stage_job_dead_by_tenant" ON "stage_job" USING btree ("tenant","finished_at","id") WHERE state = 'failed' and dropped_at is null;--> statement-breakpoint
CREATE INDEX "answer_by_post" ON "answer" USING btree ("post_id");--> statement-breakpoint
CREATE INDEX "cost_entry_by_job" ON "cost_entry" USING btree ("stage_job_id");--> statement-breakpoint
CREATE INDEX "media_present" ON "media" USING btree ("stored_at","sha256","bytes") WHERE removed_at is null;--> statement-breakpoint
CREATE INDEX "post_media_by_media" ON "post_media" USING btree ("media_sha256");--> statement-breakpoint
CREATE INDEX "prepared_audio_by_file" ON "prepared_audio" USING btree ("audio_sha256");--> statement-breakpoint
CREATE INDEX "prepared_audio_present" ON "prepared_audio" USING btree ("stored_at","audio_sha256","bytes") WHERE removed_at is null;--> statement-breakpoint
CREATE INDEX "transcript_by_media" ON "transcript" USING btree ("media_sha256");--> statement-breakpoint
CREATE UNIQUE INDEX "backfill_idempotency" ON "backfill" USING btree ("tenant","idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "credit_entry_by_txn" ON "credit_entry" USING btree ("txn_id");--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_hold" ON "credit_txn" USING btree (request_id) WHERE kind = 'hold';--> statement-breakpoint
CREATE UNIQUE INDEX "credit_txn_end" ON "credit_txn" USING btree (request_id) WHERE kind in ('capture', 'release');