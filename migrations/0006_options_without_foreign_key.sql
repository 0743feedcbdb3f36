ALTER TABLE "request" DROP CONSTRAINT "request_options_id_request_options_id_fk";
