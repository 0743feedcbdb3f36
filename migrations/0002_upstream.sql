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
