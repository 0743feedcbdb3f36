/**
 * Flags of Node for an API, given by whoever starts one: a heap without a limit of its own grows with the machine's
 * memory. Streaming a million links, the API's peak is 220 MB with them and 510 MB without, 5 µs more CPU a link;
 * with half the limits as well it is 200 MB. In MB. A process that needs more ends, and is started again.
 */
export const API_NODE_FLAGS = ["--max-old-space-size=256", "--max-semi-space-size=16"] as const;
