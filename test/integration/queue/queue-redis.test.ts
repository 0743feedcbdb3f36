import { describe, inject } from "vitest";
import { describeHints } from "../../support/conformance/describe-hints.ts";
import { describeQueueBackend } from "../../support/conformance/describe-queue-backend.ts";

const redisUrl = inject("redisUrl");

describe.skipIf(redisUrl === null)(
  "with Redis (needs REDIS_URL, Docker or a redis-server on PATH)",
  () => {
    describeQueueBackend("the queue on Redis", () => redisUrl);
    describeHints("the hints on Redis", () => redisUrl);
  },
);
