import { describeQueueBackend } from "../../support/conformance/describe-queue-backend.ts";

describeQueueBackend("the queue on Postgres", () => null);
