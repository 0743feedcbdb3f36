import { PostId, PostResult, UnrecoverableError } from "@clipmill/domain";
import { z } from "zod";
import { createAnswerMemory } from "./answer-memory.ts";
import type { Api, ApiDeps } from "../../deps.ts";
import { problemResponses } from "../../docs/openapi.ts";

/** `GET /v1/posts/:aweme_id`; local files without an aweme_id are found under `file-<sha256>`. */
export function getPost(api: Api, { posts, answerMemoryBytes }: ApiDeps): void {
  const memory = createAnswerMemory(answerMemoryBytes);
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
            503: "The database is down, full or too slow",
          }),
        },
      },
    },
    async ({ params: { aweme_id: postId } }, reply) => {
      let answer = memory.get(postId);
      if (answer === undefined || answer.version !== (await posts.findVersion(postId))) {
        const post = await posts.find(postId);
        if (post === null)
          throw new UnrecoverableError("not_found", "no result of this post is stored");
        const { version, result } = post;
        answer = { version, body: Buffer.from(reply.serialize(result) as string) };
        memory.set(postId, answer);
      }
      // What the schema describes, already written.
      return reply.type("application/json; charset=utf-8").send(answer.body as never);
    },
  );
}
