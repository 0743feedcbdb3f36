import type { PostSource, StageContext } from "@clipmill/domain";

/**
 * A source as stages use it: each of its calls, those for lists and comments too, is a paid call. It waits for a
 * reservation and its price is recorded: see `StageContext.pay`. Methods that the source lacks stay absent.
 */
export function toPaidSource(source: PostSource, { pay }: Pick<StageContext, "pay">): PostSource {
  const { id: engine, callUsd: usd } = source;
  const paid =
    <In, Options, Out>(call: (input: In, options: Options) => Promise<Out>) =>
    async (input: In, options: Options): Promise<Out> => {
      const ask = async () => ({ usd, answer: await call.call(source, input, options) });
      return (await pay({ engine, estimateUsd: usd }, ask)).answer;
    };
  const { fetchPost, fetchCreator, listPosts, listComments, listReplies } = source;
  return {
    id: engine,
    callUsd: usd,
    fetchPost: paid(fetchPost),
    ...(fetchCreator === undefined ? {} : { fetchCreator: paid(fetchCreator) }),
    ...(listPosts === undefined ? {} : { listPosts: paid(listPosts) }),
    ...(listComments === undefined ? {} : { listComments: paid(listComments) }),
    ...(listReplies === undefined ? {} : { listReplies: paid(listReplies) }),
  };
}
