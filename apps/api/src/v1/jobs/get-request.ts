import {
  RequestId,
  type RequestReader,
  type RequestView,
  UnrecoverableError,
} from "@clipmill/domain";

/** Throws UnrecoverableError `not_found`, also for what could not be an id: it never reaches the database. */
export async function getRequest(requests: RequestReader, id: string): Promise<RequestView> {
  const view = RequestId.safeParse(id).success ? await requests.findRequest(id) : null;
  if (view === null) throw new UnrecoverableError("not_found", "there is no job with this id");
  return view;
}
