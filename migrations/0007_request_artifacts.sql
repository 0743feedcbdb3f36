ALTER TABLE "request" ADD COLUMN "transcript_key" text;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "screen_text_key" text;--> statement-breakpoint
ALTER TABLE "request" ADD COLUMN "answer_key" text;