export { STYLESHEET, STYLESHEET_PATH } from "./assets.ts";
export type { BoardQueue } from "./board.ts";
export { createDashboard, type DashboardOptions } from "./dashboard.ts";
export { renderErrorsPage } from "./pages/errors-page.ts";
export { type HomeFacts, type RecentJob, renderHomePage } from "./pages/home-page.ts";
export { renderJobPage } from "./pages/job-page.ts";
export { type ProblemFacts, renderProblemPage } from "./pages/problem-page.ts";
export { explainForeign } from "./same-origin.ts";
