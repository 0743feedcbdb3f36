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
export { request, requestOptions, requestStageJob, stageJob, workerProcess } from "./work.ts";
