import { Readable } from "node:stream";
import { MAX_INVALID_LINES, type Backfill as StoredBackfill } from "@clipmill/db";
import { BackfillId, hashJson, Output, UnrecoverableError } from "@clipmill/domain";
import { z } from "zod";
import { findCharset, LIST_TYPES, refuseList, toListFormat } from "./list/list-types.ts";
import { readList } from "./list/read-list.ts";
import { takeList } from "./take-list.ts";
import type { Api, ApiDeps } from "../../deps.ts";
import { IDEMPOTENCY_KEY_HEADER, parseIdempotencyKey } from "../../http/idempotency-key.ts";
import { problemResponses } from "../../docs/openapi.ts";

/** Until accounts exist there is one tenant. */
const TENANT = "local";
/** A sender that is silent for so long is gone; one that waits for us is not silent. */
const IDLE_MS = 60_000;

const Backfill = z.object({
  id: z.string(),
  status: z.enum(["accepting", "interrupted", "accepted"]),
  counts: z.object({
    lines: z.number().int().describe("items read: the sum of the others"),
    accepted: z.number().int(),
    duplicates: z.number().int().describe("posts that stood in the list before"),
    invalid: z.number().int(),
  }),
  invalid: z
    .array(
      z.object({
        line: z.number().int().describe("counted from 1; in a JSON array, the position"),
        reason: z.string(),
      }),
    )
    .optional()
    .describe(
      `which items are no links of posts, the first ${MAX_INVALID_LINES} of them; absent where none are`,
    ),
  created_at: z.string(),
  updated_at: z.string(),
  links: z.object({ self: z.string() }),
});

const Options = z.strictObject({
  outputs: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(Output))
    .default(["transcript", "summary"])
    .describe("separated by commas"),
  language: z
    .string()
    .regex(/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$/, "a BCP-47 tag such as en or pt-BR")
    .nullable()
    .default(null),
  fresh: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true")
    .describe("recognise the speech, also where the source offers captions"),
});

const Headers = z.looseObject({
  [IDEMPOTENCY_KEY_HEADER]: z
    .string()
    .optional()
    .describe("the same list under the same key goes on where it broke off"),
});

/** `/v1/backfills`: lists of links of any length. */
export function backfills(api: Api, deps: ApiDeps): void {
  // A scope of its own: only here are bodies streams, and unbounded.
  void api.register(async (scope: Api) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    scope.setErrorHandler((error) => {
      const isMalformedType =
        error instanceof Error &&
        "code" in error &&
        error.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE";
      throw isMalformedType ? refuseList("the content type is malformed") : error;
    });
    postBackfill(scope, deps);
  });
  getBackfill(api, deps);
}

function postBackfill(api: Api, deps: ApiDeps): void {
  api.post(
    "/v1/backfills",
    {
      config: { streamsBody: true },
      schema: {
        operationId: "createBackfill",
        summary: "Process a list of posts, of any length",
        description:
          "The body is streamed, in UTF-8 or UTF-16, as it is or compressed (`content-encoding`): plain lines with one or " +
          "more links each (`# …` is a comment), CSV with a column of links (commas, semicolons, tabs or pipes; with or " +
          "without names), NDJSON, or a JSON array (strings, or objects with `url`). " +
          "Links are stored as they arrive; items without one are counted, named in `invalid` and passed over.",
        tags: ["backfills"],
        consumes: [...LIST_TYPES],
        querystring: Options,
        headers: Headers,
        response: {
          200: Backfill.describe("This key's list was taken in before."),
          202: Backfill.describe("All of it is stored."),
          ...problemResponses({
            400: "Malformed; what came before stays stored",
            403: "A page of another site asks",
            413: "A JSON array that is too long: send NDJSON",
            415: "Not a list; says what is accepted",
            422: "The idempotency key was used with other options, or is in use now",
            503: "The database is down, full or too slow; what was stored before stays",
          }),
        },
      },
    },
    async (request, reply) => {
      const contentType = request.headers["content-type"];
      const format = toListFormat(contentType);
      const { outputs, language, fresh } = request.query;
      // Lists that were begun before `fresh` was known keep their hash.
      const options = { outputs: [...new Set(outputs)], language, ...(fresh ? { fresh } : {}) };
      const begun = await deps.backfills.begin({
        tenant: TENANT,
        idempotencyKey: parseIdempotencyKey(request.headers[IDEMPOTENCY_KEY_HEADER]),
        optionsHash: hashJson(options),
      });
      reply.logFields = { backfill_id: begun.id };
      reply.header("location", toPath(begun.id));
      if (begun.state === "accepted") {
        // The body is not read, so the connection cannot be used again.
        reply.headers({ "idempotent-replayed": "true", connection: "close" });
        return reply.code(200).send(toBackfill(begun));
      }
      request.raw.setTimeout(IDLE_MS, () => request.raw.destroy());
      const items = readList((request.body as Readable | undefined) ?? Readable.from([]), {
        format,
        charset: findCharset(contentType),
      });
      const ended = await takeList(deps.backfills, begun, items, {
        ...options,
        tenant: TENANT,
        recipes: deps.recipes(),
        lane: "backfill",
        deadline: null,
        idempotencyKey: null,
      });
      return reply.code(202).send(toBackfill(ended));
    },
  );
}

function getBackfill(api: Api, deps: ApiDeps): void {
  api.get(
    "/v1/backfills/:id",
    {
      schema: {
        operationId: "getBackfill",
        summary: "How much of a list is stored",
        tags: ["backfills"],
        params: z.object({ id: z.string().describe("bf_…") }),
        response: {
          200: Backfill,
          ...problemResponses({
            404: "No such backfill",
            503: "The database is down, full or too slow",
          }),
        },
      },
    },
    async ({ params: { id } }) => {
      const found = BackfillId.safeParse(id).success ? await deps.backfills.find(id) : null;
      if (found !== null) return toBackfill(found);
      throw new UnrecoverableError("not_found", "there is no backfill with this id");
    },
  );
}

function toPath(id: string): string {
  return `/v1/backfills/${id}`;
}

function toBackfill(backfill: StoredBackfill): z.infer<typeof Backfill> {
  return {
    id: backfill.id,
    status: backfill.state,
    counts: {
      lines: backfill.lineCount,
      accepted: backfill.acceptedCount,
      duplicates: backfill.duplicateCount,
      invalid: backfill.invalidCount,
    },
    ...(backfill.invalidLines.length === 0 ? {} : { invalid: backfill.invalidLines }),
    created_at: backfill.createdAt,
    updated_at: backfill.updatedAt,
    links: { self: toPath(backfill.id) },
  };
}
