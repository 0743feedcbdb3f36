import { PostId, PostResult, UnrecoverableError } from "@clipmill/domain";
import { z } from "zod";
import type { Api, ApiDeps } from "../deps.ts";
import { problemResponses } from "../openapi.ts";

/** `GET /v1/posts/:aweme_id`; local files without an aweme_id are found under `file-<sha256>`. */
export function getPost(api: Api, deps: ApiDeps): void {
  api.get(
    "/v1/posts/:aweme_id",
    {
      schema: {
        operationId: "getPost",
        summary: "What is stored about a post",
        tags: ["posts"],
        params: z.object({ aweme_id: PostId }),
        response: {
          200: PostResult.describe("The composed result, as of now."),
          ...problemResponses({
            400: "Not an id",
            404: "No such post is stored",
            503: "The database is down",
          }),
        },
      },
    },
    async (request) => {
      const result = await deps.findPostResult(request.params.aweme_id);
      if (result !== null) return result;
      throw new UnrecoverableError("not_found", "no result of this post is stored");
    },
  );
}
