// For `node --import`: before the program itself is even read, which takes a second on a busy machine.
import { concealEnvironment } from "../../../packages/config/src/conceal-environment.mjs";

concealEnvironment();
