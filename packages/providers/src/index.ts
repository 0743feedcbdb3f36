export { createFileStorage } from "./storage/file-storage.ts";
