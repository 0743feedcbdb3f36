import { describeQueueBackend } from "../support/describe-queue-backend.ts";

describeQueueBackend("the queue on Postgres", () => null);
