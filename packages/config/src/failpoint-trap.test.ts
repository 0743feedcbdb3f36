import { expect, test, vi } from "vitest";
import { ConfigError } from "./config.ts";
import { createFailpointTrap } from "./failpoint-trap.ts";

const KNOWN = ["after-claim", "after-dispatch"];

test("failpoints are inert outside tests, and where none is named", () => {
  expect(createFailpointTrap({ FAIL_AT: "after-claim", NODE_ENV: "production" }, KNOWN)).toBeNull();
  expect(createFailpointTrap({ FAIL_AT: undefined, NODE_ENV: "test" }, KNOWN)).toBeNull();
});

test("an unknown failpoint is a wrong setting", () => {
  expect(() => createFailpointTrap({ FAIL_AT: "nowhere", NODE_ENV: "test" }, KNOWN)).toThrow(
    ConfigError,
  );
});

test("the named point kills, at the named place only", () => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const trap = createFailpointTrap({ FAIL_AT: "after-dispatch:gpu", NODE_ENV: "test" }, KNOWN);
  trap?.("after-claim", "gpu");
  trap?.("after-dispatch", "io");
  expect(kill).not.toHaveBeenCalled();
  trap?.("after-dispatch", "gpu");
  expect(kill).toHaveBeenCalledWith(process.pid, "SIGKILL");
  kill.mockRestore();
});
