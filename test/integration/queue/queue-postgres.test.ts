import { describeHints } from "../../support/conformance/describe-hints.ts";
import { describeQueueBackend } from "../../support/conformance/describe-queue-backend.ts";

describeQueueBackend("the queue on Postgres", () => null);
describeHints("the hints on Postgres", () => null);
