declare module "autocannon" {
  /** The part of the package that the benchmarks use; it brings no types. */
  export default function autocannon(options: {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    setupClient(client: { setRequests(requests: { path: string }[]): void }): void;
  }): Promise<{
    requests: { average: number };
    /** Milliseconds. */
    latency: { p99: number };
    non2xx: number;
    errors: number;
  }>;
}
