declare module "autocannon" {
  /** The part of the package that the benchmarks use; it brings no types. */
  export default function autocannon(options: {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    setupClient(client: { setRequests(requests: { path: string }[]): void }): void;
  }): Promise<{ requests: { average: number }; non2xx: number; errors: number }> & {
    on(
      event: "response",
      listener: (client: unknown, status: number, bytes: number, ms: number) => void,
    ): void;
  };
}
