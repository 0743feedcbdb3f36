export { creditEntry, creditTxn, tenant } from "./credits.ts";
export {
  answer,
  costEntry,
  engagement,
  media,
  post,
  postMedia,
  preparedAudio,
  screenText,
  transcript,
} from "./artifacts.ts";
export { backfill, backfillNumber } from "./backfill.ts";
export { upstream } from "./upstream.ts";
export {
  childrenToEnd,
  request,
  requestOptions,
  requestStageJob,
  stageJob,
  stageWait,
  workerProcess,
} from "./work.ts";
