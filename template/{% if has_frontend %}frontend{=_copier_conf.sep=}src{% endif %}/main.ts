import { startMonitor } from "./monitor.ts";
import { createPage } from "./page.ts";

const page = createPage(() => void monitor.check());
export const monitor = startMonitor(page.show);
window.setInterval(page.tick, 1000);
