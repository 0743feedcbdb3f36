import { readFileSync } from "node:fs";

const read = (name: string) => readFileSync(new URL(`./assets/${name}`, import.meta.url), "utf8");

/** The style of all pages. The host serves it at `STYLESHEET_PATH`. */
export const STYLESHEET = read("style.css");
export const STYLESHEET_PATH = "/style.css";

/** Refreshes the table of counts; served under the dashboard's prefix. */
export const COUNTS_SCRIPT = read("counts.js");
