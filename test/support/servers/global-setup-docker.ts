/** A server in a container, or null where no Docker answers or the image cannot be had. */
export async function startContainer(spec: {
  image: string;
  port: number;
  environment?: Record<string, string>;
  readyLog: { pattern: RegExp; times: number };
}): Promise<{ host: string; port: number; close(): Promise<void> } | null> {
  // Imported late: it takes 0.4 s, and DATABASE_URL and REDIS_URL make it needless.
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import("testcontainers");
  try {
    await getContainerRuntimeClient();
  } catch {
    return null;
  }
  try {
    const container = await new GenericContainer(spec.image)
      .withEnvironment(spec.environment ?? {})
      .withExposedPorts(spec.port)
      .withWaitStrategy(Wait.forLogMessage(spec.readyLog.pattern, spec.readyLog.times))
      .start();
    return {
      host: container.getHost(),
      port: container.getMappedPort(spec.port),
      close: async () => void (await container.stop()),
    };
  } catch (error) {
    console.warn(`Docker answers but cannot start ${spec.image}: ${(error as Error).message}`);
    return null;
  }
}
